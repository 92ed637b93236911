// C0, DEL and C1 controls, line and paragraph separators, and the characters that reorder text.
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Text from outside as it may be shown on a terminal or in a line of its own: nothing in it can
 * move the cursor, start another line, or reorder what stands beside it.
 */
export function printable(text: string): string {
  return text
    .toWellFormed()
    .replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
