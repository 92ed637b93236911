/** The text as readers that don't mind case compare it: `K` (Kelvin) is a k, and `\u017f` an s. */
export function foldCase(text: string): string {
  return text.toUpperCase().toLowerCase();
}
