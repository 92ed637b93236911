/** Quoting as Go's strconv does it. */

/** Go's IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const PLAIN_ASCII = /^[ !#-[\]-~]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const NOT_IN_BACKQUOTES = /[\u0000-\u0008\u000a-\u001f\u007f`\ufeff]/;

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\u0007", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
]);

/** A string literal of Go; with `asciiOnly` everything else is escaped. */
export function quote(text: string, asciiOnly = false): string {
  if (PLAIN_ASCII.test(text)) return `"${text}"`;
  let quoted = '"';
  for (const character of text.toWellFormed()) {
    quoted += escapeCharacter(character, '"', asciiOnly);
  }
  return `${quoted}"`;
}

/** A character literal of Go. */
export function quoteCharacter(character: string, asciiOnly: boolean): string {
  return `'${escapeCharacter(character, "'", asciiOnly)}'`;
}

/** Whether the text may stand between backquotes. */
export function canBackquote(text: string): boolean {
  return !NOT_IN_BACKQUOTES.test(text);
}

/** Whether Go prints the character as it is. */
export function isPrintable(character: string): boolean {
  return PRINTABLE.test(character);
}

function escapeCharacter(character: string, mark: string, asciiOnly: boolean): string {
  if (character === mark || character === "\\") return `\\${character}`;
  const codePoint = character.codePointAt(0)!;
  if (isPrintable(character) && (codePoint < 0x80 || !asciiOnly)) return character;
  const short = SHORT_ESCAPES.get(character);
  if (short !== undefined) return short;
  const hex = codePoint.toString(16);
  if (codePoint < 0x20 || codePoint === 0x7f) return `\\x${hex.padStart(2, "0")}`;
  return codePoint < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
