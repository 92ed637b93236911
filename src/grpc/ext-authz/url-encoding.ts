/** Percent-encoding and queries, read as Go's `net/url` reads them. */
import { quoted } from "../../base/quoted.ts";
import type { PdpError } from "../../decision/error.ts";
import { type HttpPart, malformed } from "./malformed.ts";

/**
 * Values by name, in the order they are given; inherits nothing. What is not UTF-8 is U+FFFD, so that
 * names that differ in nothing else are one.
 */
export type QueryValues = { readonly [name: string]: readonly string[] };

/** Most parameters of a query or a form, empty ones counted; Go's limit, too. */
const PARAMETERS_MAX = 10_000;

/**
 * The parameters of a query or of an urlencoded form, which stands in `part`. A `+` is a space, a
 * parameter without `=` has the value "". Throws `PdpError` `invalid-argument` where there is a `;`,
 * a malformed escape, or more than 10,000 parameters.
 */
export function parseQuery(text: string, part: HttpPart): QueryValues {
  const pairs = text === "" ? [] : text.split("&", PARAMETERS_MAX + 1);
  if (pairs.length > PARAMETERS_MAX) {
    throw malformed(part, `has more than ${PARAMETERS_MAX} parameters`);
  }
  const values: { [name: string]: string[] } = Object.create(null);
  for (const pair of pairs) {
    if (pair === "") continue;
    if (pair.includes(";")) throw malformed(part, 'has a ";" between parameters; expected "&"');
    const equals = pair.indexOf("=");
    const name = unescapeQuery(equals < 0 ? pair : pair.slice(0, equals), part);
    const value = equals < 0 ? "" : unescapeQuery(pair.slice(equals + 1), part);
    values[name] ??= [];
    values[name].push(value);
  }
  return values;
}

/** Whether `parseQuery` has a reason to look at it before anybody asks what it says. */
export function canBeMalformed(query: string): boolean {
  return query.length >= PARAMETERS_MAX || /[%;]/.test(query);
}

const SPELLINGS_MAX = 64;

/**
 * Names in a query, as they are written there, that mean one of `names` and are written otherwise.
 * Throws `PdpError` `invalid-argument` at more than 64.
 */
export function otherSpellings(query: string, names: ReadonlySet<string>): readonly string[] {
  const found = new Set<string>();
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    const written = equals < 0 ? pair : pair.slice(0, equals);
    if (names.has(written) || !names.has(unescapeQuery(written, "path"))) continue;
    found.add(written);
    if (found.size > SPELLINGS_MAX) throw malformed("path", "spells parameters in too many ways");
  }
  return [...found];
}

function unescapeQuery(text: string, part: HttpPart): string {
  return /[%+]/.test(text) ? unescapeBytes(text, part, SPACE) : text;
}

/**
 * The text with its escapes decoded; a `+` stays one. What is not UTF-8 then becomes U+FFFD, where Go
 * keeps the bytes. Throws `PdpError` `invalid-argument`, naming `part`, at a malformed escape.
 */
export function unescapePercent(text: string, part: HttpPart): string {
  return text.includes("%") ? unescapeBytes(text, part, PLUS) : text;
}

function unescapeBytes(text: string, part: HttpPart, plus: number): string {
  // Decoded in place: what is written lies before what is read.
  const bytes = Buffer.from(text);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at]!;
    if (byte === PERCENT) {
      byte = (digitOf(bytes[at + 1]) << 4) | digitOf(bytes[at + 2]);
      if (byte < 0) throw malformedEscape(bytes.toString("utf8", at, at + 3), part);
      at += 2;
    } else if (byte === PLUS) byte = plus;
    bytes[length] = byte;
    length += 1;
  }
  return bytes.toString("utf8", 0, length);
}

const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

/** Of a hex digit; negative for another character. */
function digitOf(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function malformedEscape(shown: string, part: HttpPart): PdpError {
  const expected = 'expected "%" and two hex digits';
  return malformed(part, `has the malformed escape ${quoted(shown, 3)}; ${expected}`);
}

/** Bytes, or the UTF-8 of a text, as a string with a character per byte, which can be searched. */
export function byteString(bytes: string | Buffer): string {
  return (typeof bytes === "string" ? Buffer.from(bytes) : bytes).toString("latin1");
}

/** The text whose UTF-8 it is; what is not UTF-8 becomes U+FFFD. */
export function textOfBytes(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString();
}
