/**
 * Reads what a policy for Envoy returns: a boolean, or an object with `allowed` and what is to happen
 * besides (`docs/envoy.md`). Whatever is of another shape is unreadable, which is never an allow.
 */
import {
  emptyObject,
  isJsonList,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  ownMember,
} from "../../decision/json.ts";
import type { PolicyReading } from "../../pipeline/pipeline.ts";
import type { HeaderAction, HeaderChange, HttpAnswer, QueryParameter } from "./http-answer.ts";

const FORBIDDEN = 403;
const FOUND = 302;
const INTERNAL_SERVER_ERROR = 500;
/** Envoy fails a request with more than a hundred headers. */
const LIST_MAX = 64;
/** Of the hundred that Envoy's decoder goes down to; the rest is the answer's own. */
const LEVELS_MAX = 90;
const VALUE_BYTES_MAX = 16_384;
/** Of the text that says why a policy can't decide, which may stem from a request. */
const ERROR_CHARACTERS_MAX = 1_024;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** The final statuses of Envoy's list, which it does not hold answers to itself. */
const STATUSES: ReadonlySet<number> = new Set([
  ...[200, 201, 202, 203, 204, 205, 206, 207, 208, 226],
  ...[300, 301, 302, 303, 304, 305, 307, 308],
  ...[400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417],
  ...[421, 422, 423, 424, 426, 428, 429, 431],
  ...[500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
]);

/** Envoy obeys also those that say where a request goes, or where it ends and the next begins. */
const FRAMING: ReadonlySet<string> = new Set([
  ...["host", "content-length", "transfer-encoding", "connection", "keep-alive"],
  ...["proxy-connection", "te", "trailer", "upgrade"],
]);

/** Statuses whose answers have no body; Envoy would send one. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** How headers are set, by where: what Envoy heeds there, the first being the default. */
const ACTIONS = {
  // Of the request: what a client sends gives way, unless the policy says otherwise.
  request: ["overwrite", "append"],
  // Of the upstream's answer: as with OPA's plugin, whose options say nothing about it.
  response: ["append", "overwrite", "add_if_absent", "overwrite_if_exists"],
  // Of a denial: there is nothing yet.
  denial: ["append", "overwrite", "add_if_absent", "overwrite_if_exists"],
} as const satisfies Record<string, readonly HeaderAction[]>;

type HeadersOf = keyof typeof ACTIONS;

/** What a bare boolean says. */
export const plainAnswer: HttpAnswer = Object.freeze({
  headers: [],
  responseHeaders: [],
  removedHeaders: [],
  query: [],
  removedQuery: [],
  status: FORBIDDEN,
  body: "",
  dynamicMetadata: emptyObject,
});

/** Reads a document; `undefined` if it is unreadable. */
export function readRegoResult(document: JsonValue): PolicyReading<HttpAnswer> | undefined {
  if (typeof document === "boolean") return { allows: document, detail: plainAnswer };
  if (!isJsonObject(document)) return undefined;
  const allowed = ownMember(document, "allowed");
  if (typeof allowed !== "boolean") return undefined;
  try {
    const error = readText(ownMember(document, "error"))?.slice(0, ERROR_CHARACTERS_MAX);
    const allows = allowed && error === undefined;
    return { allows, error, detail: readAnswer(document, allows, error) };
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

/** Thrown where a member has another shape than is documented. */
class Unreadable extends Error {}

/** Only what is used is looked at, as the plugin does. */
function readAnswer(document: JsonObject, allows: boolean, error: string | undefined): HttpAnswer {
  const metadata = readMetadata(ownMember(document, "dynamic_metadata"));
  const otherwise = error === undefined ? FORBIDDEN : INTERNAL_SERVER_ERROR;
  const rest = allows ? readAllowed(document) : readDenied(document, otherwise);
  const dynamicMetadata = error === undefined ? metadata : { ...metadata, error };
  return { ...plainAnswer, ...rest, dynamicMetadata };
}

function readAllowed(document: JsonObject): Partial<HttpAnswer> {
  const given = ownMember(document, "headers");
  const headers = readHeaders(given, "request");
  // A policy that sets no value of a header means that there is none, not that the client's stays.
  const removed = readNames(ownMember(document, "request_headers_to_remove"));
  const gone = bounded([...removed, ...valueless(given)]).map(headerName);
  return {
    headers,
    responseHeaders: readHeaders(ownMember(document, "response_headers_to_add"), "response"),
    // Envoy removes last, and so would take away what was set in place of the client's.
    removedHeaders: gone.filter((name) => !isOverwritten(headers, name)),
    query: readQuery(ownMember(document, "query_parameters_to_set")),
    removedQuery: readNames(ownMember(document, "query_parameters_to_remove")),
  };
}

function readDenied(document: JsonObject, statusOtherwise: number): Partial<HttpAnswer> {
  const redirect = readText(ownMember(document, "redirect"));
  const headers = readHeaders(ownMember(document, "headers"), "denial");
  const location = redirect === undefined ? [] : readHeader("location", redirect, "denial");
  const otherwise = redirect === undefined ? statusOtherwise : FOUND;
  const status = readStatus(ownMember(document, "http_status"), otherwise);
  const body = readText(ownMember(document, "body")) ?? "";
  if (body !== "" && BODILESS.has(status)) throw new Unreadable();
  return { headers: [...headers, ...location], status, body };
}

function isOverwritten(headers: readonly HeaderChange[], name: string): boolean {
  return headers.find((header) => header.name === name)?.action === "overwrite";
}

/** An object of headers, or a list of such objects. */
function readHeaders(value: JsonValue | undefined, of: HeadersOf): readonly HeaderChange[] {
  if (value === undefined) return [];
  const objects = isJsonList(value) ? value : [value];
  const headers = objects.flatMap((object) =>
    Object.entries(readObject(object)).flatMap(([name, values]) => readHeader(name, values, of)),
  );
  return bounded(headers);
}

/** Headers that have an empty list of values. */
function valueless(headers: JsonValue | undefined): readonly string[] {
  const objects = headers === undefined ? [] : isJsonList(headers) ? headers : [headers];
  return objects.flatMap((object) =>
    Object.entries(readObject(object)).flatMap(([name, values]) =>
      isJsonList(values) && values.length === 0 ? [name] : [],
    ),
  );
}

/** A text, an object with `value` and how it is set, or a list of such. */
function readHeader(name: string, values: JsonValue, of: HeadersOf): readonly HeaderChange[] {
  return (isJsonList(values) ? values : [values]).map((given) => {
    const header = typeof given === "string" ? { value: given } : readObject(given);
    const value = readText(ownMember(header, "value"));
    const keepsEmpty = ownMember(header, "keep_empty_value") ?? false;
    if (value === undefined || typeof keepsEmpty !== "boolean") throw new Unreadable();
    // Envoy would send a line's end to the client, who would read another header in it.
    if (CONTROL.test(value) || Buffer.byteLength(value) > VALUE_BYTES_MAX) throw new Unreadable();
    const action = readAction(ownMember(header, "append_action"), of);
    return { name: headerName(name), value, action, keepsEmpty };
  });
}

function readAction(value: JsonValue | undefined, of: HeadersOf): HeaderAction {
  const actions: readonly HeaderAction[] = ACTIONS[of];
  const action = value === undefined ? actions[0] : actions.find((one) => one === value);
  if (action === undefined) throw new Unreadable();
  return action;
}

function headerName(given: string): string {
  const name = given.toLowerCase();
  if (!HEADER_NAME.test(name) || FRAMING.has(name)) throw new Unreadable();
  return name;
}

function readQuery(value: JsonValue | undefined): readonly QueryParameter[] {
  const parameters = Object.entries(readObject(value)).flatMap(([name, values]) =>
    (isJsonList(values) ? values : [values]).map((one) => {
      const text = readText(one);
      if (text === undefined || name === "") throw new Unreadable();
      return { name, value: text };
    }),
  );
  return bounded(parameters);
}

function readNames(value: JsonValue | undefined): readonly string[] {
  if (value === undefined) return [];
  if (!isJsonList(value)) throw new Unreadable();
  const names = value.map((name) => {
    if (typeof name !== "string" || name === "") throw new Unreadable();
    return name;
  });
  return bounded(names);
}

function readStatus(value: JsonValue | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value !== "number" || !STATUSES.has(value)) throw new Unreadable();
  return value;
}

function readText(value: JsonValue | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw new Unreadable();
  return value;
}

/** Envoy fails a call whose answer is nested deeper, and so would let it through. */
function readMetadata(value: JsonValue | undefined): JsonObject {
  const metadata = readObject(value);
  if (levelsOf(metadata) > LEVELS_MAX) throw new Unreadable();
  return metadata;
}

/** Messages inside one another that a value takes: `Struct`, its entry, `Value`; or `ListValue`. */
function levelsOf(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 0;
  const below = Math.max(0, ...Object.values(value).map(levelsOf));
  return below + (isJsonList(value) ? 2 : 3);
}

function readObject(value: JsonValue | undefined): JsonObject {
  if (value === undefined) return emptyObject;
  if (!isJsonObject(value)) throw new Unreadable();
  return value;
}

function bounded<Item>(items: readonly Item[]): readonly Item[] {
  if (items.length > LIST_MAX) throw new Unreadable();
  return items;
}
