/** Sorting the marks of letters takes time that grows with the square of the text. */
const CHARACTERS_MAX = 256;
const ASCII = /^[\0-\x7f]*$/;
/** What Unicode's case folding leaves out, as databases do. */
const IGNORED = /\p{Default_Ignorable_Code_Point}/gu;
/** Lower case of `\u0130`, which many compare letter by letter, and so take for an i. */
const DOTTED_I = /i\u0307/g;

/**
 * The text as readers that don't mind case, or forms of letters, compare it: `K` (Kelvin) is a k, `\u017f`
 * an s, `\u0130` an i, a full-width letter the plain one, and what nobody sees is not there. `undefined`
 * for a text beyond ASCII of more than 256 characters, which nobody has a reason to compare.
 */
export function foldCase(text: string): string | undefined {
  if (ASCII.test(text)) return text.toLowerCase();
  if (text.length > CHARACTERS_MAX) return undefined;
  const plain = text.replace(IGNORED, "").normalize("NFKC").replace(IGNORED, "");
  return plain.toUpperCase().toLowerCase().replace(DOTTED_I, "i");
}
