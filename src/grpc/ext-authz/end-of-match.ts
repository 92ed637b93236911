/** Where the match of a sticky pattern that begins at `from` ends; `from` if there is none. */
export function endOfMatch(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}
