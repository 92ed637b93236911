/** Sorting the marks of letters takes time that grows with the square of the text. */
const CHARACTERS_MAX = 256;
const ASCII = /^[\0-\x7f]*$/;

/**
 * The text as readers that don't mind case, or forms of letters, compare it: `K` (Kelvin) is a k, `\u017f`
 * an s, and a full-width letter the plain one. `undefined` for a text beyond ASCII of more than 256
 * characters, which nobody has a reason to compare.
 */
export function foldCase(text: string): string | undefined {
  if (ASCII.test(text)) return text.toLowerCase();
  if (text.length > CHARACTERS_MAX) return undefined;
  return text.normalize("NFKC").toUpperCase().toLowerCase();
}
