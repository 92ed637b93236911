/**
 * Bodies that are `multipart/form-data` (RFC 7578, RFC 2046 §5.1), read as Go's `mime/multipart` reads
 * them: with a preamble, with line feeds alone if the first delimiter ends with one, with folded
 * headers. What it passes over is refused, since an upstream may read it: a malformed
 * Content-Disposition, one given twice, one of another type with a name, a parameter in extended form,
 * a name with blanks around it, a backslash; a header's name with a space; an encoded part; a body that
 * ends within a part's header; what begins like a delimiter and is none, or stands behind the last.
 */
import type { InputValue } from "../../pipeline/pipeline.ts";
import { parseJsonText } from "./json-text.ts";
import { malformed } from "./malformed.ts";
import { parameterOf, parseMediaType } from "./media-type.ts";
import { textOfBytes } from "./url-encoding.ts";

/** Values by the parts' names, in the order they are given; inherits nothing. */
export type FormValues = { readonly [name: string]: readonly InputValue[] };

const PARTS_MAX = 1_000;
const HEADER_BYTES_MAX = 16 * 1_024;
/** Of a line outside of parts, as Go has it. */
const LINE_BYTES_MAX = 4_096;
/** RFC 2046 §5.1.1. */
const BOUNDARY_BYTES_MAX = 70;

/**
 * The values of the parts that have a name. One whose Content-Type contains `application/json` is
 * parsed, others are texts, in which what is not UTF-8 becomes U+FFFD. `body` and `boundary` have a
 * character per byte. Throws `PdpError` `invalid-argument`, which shows nothing of the body.
 */
export function parseMultipartForm(body: string, boundary: string): FormValues {
  if (boundary === "" || boundary.length > BOUNDARY_BYTES_MAX) {
    const expected = `expected 1 to ${BOUNDARY_BYTES_MAX}`;
    throw malformed("body", `has a boundary of ${boundary.length} bytes; ${expected}`);
  }
  const values: { [name: string]: InputValue[] } = Object.create(null);
  for (const { header, content } of partsOf(body, `--${boundary}`)) {
    const name = textOfBytes(nameOf(header));
    if (name === "") continue;
    values[name] ??= [];
    values[name].push(contentOf(header, content));
  }
  return values;
}

/** By name in lower case. */
type Header = ReadonlyMap<string, string>;

interface Part {
  readonly header: Header;
  readonly content: string;
}

/** `--boundary`, and how its line ends. */
interface Delimiter {
  readonly dashes: string;
  readonly lineEnd: string;
}

function* partsOf(body: string, dashes: string): Generator<Part> {
  let lineEnd = "\r\n";
  let parts = 0;
  for (let at = 0; ; ) {
    const line = lineAt(body, at);
    at += line.length;
    if (parts === 0 && isDelimiter(line, { dashes, lineEnd: "\n" })) lineEnd = "\n";
    if (isDelimiter(line, { dashes: `${dashes}--`, lineEnd })) {
      if (body.includes(dashes, at)) throw malformed("body", "has a delimiter behind the last one");
      return;
    }
    if (!line.endsWith("\n")) throw malformed("body", "ends before its closing delimiter");
    if (isDelimiter(line, { dashes, lineEnd })) {
      parts += 1;
      if (parts > PARTS_MAX) throw malformed("body", `has more than ${PARTS_MAX} parts`);
      const { header, end: start } = readHeader(body, at);
      at = endOfContent(body, start, { dashes, lineEnd });
      const content = body.slice(start, at);
      if (content.includes(`\n${dashes}`) || content.includes(`\r${dashes}`)) {
        throw malformed("body", "has a delimiter whose line begins otherwise");
      }
      yield { header, content };
      // It belongs to the delimiter. Behind an empty content, the delimiter may have none.
      if (body.startsWith(lineEnd, at)) at += lineEnd.length;
    } else if (parts > 0) throw malformed("body", "has a delimiter whose line ends otherwise");
    else if (line.includes(dashes)) throw malformed("body", "has a delimiter within its preamble");
  }
}

/** Whether a line outside of parts is one, perhaps with spaces behind it. */
function isDelimiter(line: string, { dashes, lineEnd }: Delimiter): boolean {
  if (!line.startsWith(dashes)) return false;
  const rest = line.slice(skipBlanks(line, dashes.length));
  return rest === lineEnd || rest === "";
}

/** With its line feed, which only the last one can lack. */
function lineAt(body: string, from: number): string {
  const feed = body.indexOf("\n", from);
  const line = body.slice(from, feed < 0 ? body.length : feed + 1);
  if (line.length <= LINE_BYTES_MAX) return line;
  throw malformed("body", `has a line of more than ${LINE_BYTES_MAX} bytes outside of its parts`);
}

/** Where the content that begins at `start` ends: at the next delimiter. */
function endOfContent(body: string, start: number, { dashes, lineEnd }: Delimiter): number {
  if (body.startsWith(dashes, start) && endsDelimiter(body, start + dashes.length)) return start;
  const delimiter = lineEnd + dashes;
  let at = body.indexOf(delimiter, start);
  while (at >= 0 && !endsDelimiter(body, at + delimiter.length)) {
    at = body.indexOf(delimiter, at + delimiter.length);
  }
  if (at < 0) throw malformed("body", "ends within a part");
  return at;
}

/** Whether no longer boundary stands there. */
function endsDelimiter(body: string, at: number): boolean {
  return at === body.length || " \t\r\n".includes(body[at]!) || body.startsWith("--", at);
}

/** Reads a part's header; `end` is behind the empty line that ends it. */
function readHeader(body: string, start: number): { header: Header; end: number } {
  if (isBlank(body[start])) throw malformed("body", "has a part with a malformed header");
  const header = new Map<string, string>();
  let at = start;
  for (;;) {
    let line = headerLineAt(body, at, start);
    at = line.end;
    if (line.text === "") return { header, end: at };
    const texts = [line.text];
    while (isBlank(body[at])) {
      line = headerLineAt(body, at, start);
      at = line.end;
      texts.push(line.text);
    }
    addField(header, texts.join(" "));
  }
}

/** A line of a part's header without the blanks around it. */
function headerLineAt(body: string, from: number, start: number): { text: string; end: number } {
  const feed = body.indexOf("\n", from);
  if (feed < 0) throw malformed("body", "ends within the header of a part");
  if (feed - start > HEADER_BYTES_MAX) {
    throw malformed("body", `has a part whose header exceeds ${HEADER_BYTES_MAX} bytes`);
  }
  let end = feed > from && body[feed - 1] === "\r" ? feed - 1 : feed;
  const begin = Math.min(skipBlanks(body, from), end);
  while (end > begin && isBlank(body[end - 1])) end -= 1;
  return { text: body.slice(begin, end), end: feed + 1 };
}

const FIELD = /^([\w!#$%&'*+\-.^`|~]+):([\t -~\x80-\xff]*)$/;

function addField(header: Map<string, string>, line: string): void {
  const [, name, value] = FIELD.exec(line) ?? [];
  if (name === undefined || value === undefined) {
    throw malformed("body", "has a part with a malformed header");
  }
  const lowerName = name.toLowerCase();
  const isRead = lowerName.startsWith("content-");
  if (isRead && header.has(lowerName)) throw malformed("body", "has a part with a header twice");
  header.set(lowerName, value.slice(skipBlanks(value, 0)));
}

function isBlank(character: string | undefined): boolean {
  return character === " " || character === "\t";
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text[at])) at += 1;
  return at;
}

/** Of the field; "" for a part that is none. */
function nameOf(header: Header): string {
  const given = header.get("content-disposition");
  if (given === undefined) return "";
  const disposition = parseMediaType(given);
  if (disposition === undefined || given.includes("\\")) {
    throw malformed("body", "has a part with a malformed Content-Disposition");
  }
  const name = parameterOf(disposition, "name", "body") ?? "";
  if (name !== "" && disposition.type !== "form-data") {
    throw malformed("body", "has a part with a name that is no form-data");
  }
  if (name !== name.trim()) throw malformed("body", "has a part with blanks around its name");
  return name;
}

const UNENCODED = /^(?:7bit|8bit|binary)$/i;

function contentOf(header: Header, content: string): InputValue {
  if (!UNENCODED.test(header.get("content-transfer-encoding") ?? "binary")) {
    throw malformed("body", "has an encoded part, which forms have not (RFC 7578 §4.7)");
  }
  const text = textOfBytes(content);
  const isJson = header.get("content-type")?.includes("application/json") ?? false;
  return isJson ? parseJsonText(text) : text;
}
