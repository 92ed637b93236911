import { invalidField } from "./malformed.ts";

/** A blank, or what nobody sees: readers that trim take them away, others don't. */
const UNSEEN = "[\\p{Z}\\p{Cc}\\p{Cf}\\p{Default_Ignorable_Code_Point}]";
const UNSEEN_AROUND = new RegExp(`^${UNSEEN}|${UNSEEN}$`, "u");
/** U+FFFD stands for what is not UTF-8. */
const NO_TEXT = /[\p{Cc}\ufffd]/u;

/**
 * The text of a fact, which stands in `field`. Throws `PdpError` `invalid-argument` for one that
 * upstreams read as another: with a blank or what nobody sees at an end, with a control character, or
 * with what was no UTF-8.
 */
export function checkFactText(text: string, field: string): string {
  if (UNSEEN_AROUND.test(text)) {
    const what = "begins or ends with a blank, or with a character that nobody sees";
    throw invalidField(field, `${what}; expected a text without`);
  }
  if (NO_TEXT.test(text)) {
    const what = "has a control character in it, or something that is not UTF-8";
    throw invalidField(field, `${what}; expected plain text`);
  }
  return text;
}
