/**
 * A text from outside as an error text may show it: in quotes, cut after `charactersMax`, without
 * anything that a terminal or a log reader would take for more than a character.
 */
export function quoted(text: string, charactersMax: number): string {
  const shown = text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text;
  // JSON escapes the C0 controls; the rest of the controls and line ends are left to this.
  return JSON.stringify(shown.toWellFormed()).replace(/[\u007f-\u009f\u2028\u2029]/g, "\ufffd");
}
