/**
 * The text as readers that don't mind case, or forms of letters, compare it: `K` (Kelvin) is a k, `\u017f`
 * an s, and a full-width letter the plain one.
 */
export function foldCase(text: string): string {
  return text.normalize("NFKC").toUpperCase().toLowerCase();
}
