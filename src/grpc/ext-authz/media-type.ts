/** Content-Type and Content-Disposition, read as Go's `mime.ParseMediaType` reads them. */
import { endOfMatch } from "./end-of-match.ts";
import { type HttpPart, malformed } from "./malformed.ts";

/** A media type or a disposition. All texts have a character per byte. */
export interface MediaType {
  /** In lower case: `multipart/form-data`, or `form-data`. */
  readonly type: string;
  /** By name in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads a header's value; `undefined` = it is malformed, or gives two values for one name. */
export function parseMediaType(text: string): MediaType | undefined {
  const start = endOfMatch(SPACES, text, 0);
  const end = endOfType(text, start);
  let at = endOfMatch(SPACES, text, end);
  if (end === start || (at < text.length && text[at] !== ";")) return undefined;
  const parameters = new Map<string, string>();
  while (!isEnd(text, at)) {
    const parameter = readParameter(text, at);
    if (parameter === undefined) return undefined;
    const { name, value } = parameter;
    if ((parameters.get(name) ?? value) !== value) return undefined;
    parameters.set(name, value);
    at = endOfMatch(SPACES, text, parameter.end);
  }
  return { type: text.slice(start, end).toLowerCase(), parameters };
}

/**
 * The parameter called `name`. Throws `PdpError` `invalid-argument`, naming `part`, where it has the
 * extended form of RFC 2231 (`name*=`): Go prefers it, others don't know it, and forms have no use for
 * it (RFC 7578 §4.2).
 */
export function parameterOf(
  { parameters }: MediaType,
  name: string,
  part: HttpPart,
): string | undefined {
  for (const given of parameters.keys()) {
    if (given.startsWith(`${name}*`))
      throw malformed(part, `has the extended parameter "${name}*"`);
  }
  return parameters.get(name);
}

// Sticky, and never two of them in one expression: they take time in proportion to the text only.
const TOKEN = /[\w!#$%&'*+\-.^`{|}~]+/y;
/** Unicode's spaces in UTF-8. */
const SPACES =
  /(?:[\t-\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)+/y;
const SPECIAL = /[()<>@,;:\\"/[\]?=]/;

/** Of `type` or `type/subtype`; `start` if there is none. */
function endOfType(text: string, start: number): number {
  const end = endOfMatch(TOKEN, text, start);
  if (end === start || text[end] !== "/") return end;
  const subtypeEnd = endOfMatch(TOKEN, text, end + 1);
  return subtypeEnd === end + 1 ? start : subtypeEnd;
}

/** Whether nothing follows but one `;`. */
function isEnd(text: string, at: number): boolean {
  return (
    at === text.length || (text[at] === ";" && endOfMatch(SPACES, text, at + 1) === text.length)
  );
}

interface Parameter {
  readonly name: string;
  readonly value: string;
  readonly end: number;
}

/** Reads `; name = value`. */
function readParameter(text: string, from: number): Parameter | undefined {
  if (text[from] !== ";") return undefined;
  const start = endOfMatch(SPACES, text, from + 1);
  const nameEnd = endOfMatch(TOKEN, text, start);
  const equals = endOfMatch(SPACES, text, nameEnd);
  if (nameEnd === start || text[equals] !== "=") return undefined;
  const valueStart = endOfMatch(SPACES, text, equals + 1);
  const name = text.slice(start, nameEnd).toLowerCase();
  if (text[valueStart] === '"') return readQuoted(name, text, valueStart);
  const end = endOfMatch(TOKEN, text, valueStart);
  return end === valueStart ? undefined : { name, value: text.slice(valueStart, end), end };
}

/** A backslash before a letter is one: browsers once sent whole Windows paths so. */
function readQuoted(name: string, text: string, from: number): Parameter | undefined {
  let value = "";
  for (let at = from + 1; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') return { name, value, end: at + 1 };
    if (character === "\r" || character === "\n") return undefined;
    const isEscape = character === "\\" && SPECIAL.test(text[at + 1] ?? "");
    if (isEscape) at += 1;
    value += text[at];
  }
  return undefined;
}
