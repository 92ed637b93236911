/**
 * Forms that a route takes facts from. Not for policies, which see what `parseQuery` and
 * `parseMultipartForm` see: a form counts here only if it has nothing of what upstreams read
 * differently, and a field of it only if it is given once, as text, in the plainest way there is.
 */
import { isUtf8 } from "node:buffer";
import { foldCase } from "../../base/fold-case.ts";
import type { InputDocument, InputValue } from "../../pipeline/pipeline.ts";
import { malformed } from "./malformed.ts";
import { parseQuery, textOfBytes } from "./url-encoding.ts";

/** PHP, Node and qs pass over what is more, each without a word. */
const FIELDS_MAX = 1_000;

/**
 * Reads `application/x-www-form-urlencoded`. The texts that are given once, by name; a list stands for
 * other fields. Throws `PdpError` `invalid-argument` for a form that upstreams read differently.
 */
export function readUrlEncodedForm(text: string): InputDocument {
  const pairs = text.split("&", FIELDS_MAX + 1);
  if (pairs.length > FIELDS_MAX) throw tooMany();
  for (const pair of pairs) {
    // There qs takes the name to end.
    const value = pair.slice(pair.indexOf("=") + 1);
    if (BRACKET_EQUALS.test(value)) throw malformed("body", 'has "]=" in a value');
  }
  const fields = parseQuery(text, "body");
  for (const [name, values] of Object.entries(fields)) {
    if ([name, ...values].some((part) => part.includes("\ufffd"))) {
      throw malformed("body", "has an escape that is not UTF-8");
    }
    for (const value of values) checkCharset(name, value);
  }
  return onceGiven(fields);
}

const BRACKET_EQUALS = /(?:\]|%5d)=/i;

/**
 * Reads `multipart/form-data`, as `readUrlEncodedForm`. A list stands for files, too, and for parts
 * that have a type or are not UTF-8. `body` and `boundary` have a character per byte.
 */
export function readMultipartForm(body: string, boundary: string): InputDocument {
  if (!BOUNDARY.test(boundary)) {
    throw malformed(
      "headers",
      '"content-type" has no boundary that is read alike; expected 1–70 of ' +
        "letters, digits and '()+_,-./:=?",
    );
  }
  const [before, ...parts] = body.split(`--${boundary}`);
  const after = parts.pop();
  if (before !== "" || (after !== "--" && after !== "--\r\n")) {
    throw malformed("body", "has something before its first delimiter, or behind its last one");
  }
  if (parts.length > FIELDS_MAX) throw tooMany();
  const fields: { [name: string]: InputValue[] } = Object.create(null);
  for (const part of parts) {
    const { name, value } = readPart(part);
    fields[name] ??= [];
    fields[name].push(value);
  }
  return onceGiven(fields);
}

/** RFC 2046 §5.1.1, without blanks. */
const BOUNDARY = /^[\w'()+,\-./:=?]{1,70}$/;

/** What no reader of a form needs: whoever finds a name in it has taken it apart otherwise. */
const DISPOSITION =
  /^ ?form-data; ?name="([ !#$&-:<-[\]-~\x80-\xff]+)"(?:; ?filename="([ !#-:<-[\]-~\x80-\xff]*)")?$/;
/** Not one with parts of its own, in which some look for fields. */
const CONTENT_TYPE = /^ ?(?!multipart|message)[\w!#$&^.+-]+\/[ -~]+$/i;
/** RFC 2047, which some decode. */
const ENCODED_WORD = "=?";

/** Reads what stands between two delimiters. */
function readPart(part: string): { name: string; value: InputValue } {
  const end = part.indexOf("\r\n\r\n");
  if (!part.startsWith("\r\n") || !part.endsWith("\r\n") || end < 0 || end + 4 > part.length - 2) {
    throw malformed(
      "body",
      "has something that looks like a delimiter, and is read as one by some",
    );
  }
  const header = readPartHeader(part.slice(2, end));
  const disposition = DISPOSITION.exec(header.get("content-disposition") ?? "");
  const name = textOfBytes(disposition?.[1] ?? "");
  if (name === "" || name.includes(ENCODED_WORD)) {
    throw malformed(
      "body",
      `has a part that upstreams name differently; expected ${EXPECTED_PART}`,
    );
  }
  const content = part.slice(end + 4, -2);
  const isPlain = header.size === 1 && disposition?.[2] === undefined;
  checkCharset(name, content);
  const isText = isPlain && isUtf8(Buffer.from(content, "latin1"));
  return { name, value: isText ? textOfBytes(content) : [] };
}

const EXPECTED_PART = 'Content-Disposition: form-data; name="…", or name="…"; filename="…"';

/** The fields by name in lower case. */
function readPartHeader(text: string): ReadonlyMap<string, string> {
  const header = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1);
    const isRead =
      name === "content-disposition" || (name === "content-type" && CONTENT_TYPE.test(value));
    if (!isRead || header.has(name) || !isUtf8(Buffer.from(value, "latin1"))) {
      const expected = "expected Content-Disposition, and Content-Type at most";
      throw malformed("body", `has a part whose header is read differently; ${expected}`);
    }
    header.set(name, value);
  }
  return header;
}

/** A field by which a form says how its texts are encoded, to some. */
function checkCharset(name: string, value: string): void {
  const folded = foldCase(name.trim());
  const isOther =
    folded === "_charset_" ? !/^utf-8$/i.test(value) : folded === "utf8" && value === "&#10003;";
  if (isOther) throw malformed("body", `has a field "${folded}" that says it is not UTF-8`);
}

function onceGiven(fields: { readonly [name: string]: readonly InputValue[] }): InputDocument {
  const members: { [name: string]: InputValue } = Object.create(null);
  for (const [name, values] of Object.entries(fields)) {
    members[name] = values.length === 1 ? values[0]! : values;
  }
  return members;
}

function tooMany(): Error {
  return malformed("body", `has more than ${FIELDS_MAX} fields, and the route takes from it`);
}
