/**
 * Where the facts of a question are taken from in Envoy's request: a text such as `path/id`,
 * `header/x-owner`, `body/agent/owner`, `metadata/envoy.filters.http.jwt_authn/payload/sub`,
 * `principal`, or `xfcc/uri`.
 */
import type { PdpError } from "../../decision/error.ts";
import { NumberText } from "../../decision/number-text.ts";
import type { InputDocument, InputValue } from "../../pipeline/pipeline.ts";
import type { HttpCheck } from "./check-request.ts";
import { clientCertificateField } from "./client-certificate.ts";
import { checkFactText } from "./fact-text.ts";
import { invalidField } from "./malformed.ts";
import { memberOf, type NameKind, spellingsOf } from "./member-of.ts";
import type { RouteBody } from "./route-body.ts";

/** What there is to take from. */
export interface RequestFacts {
  readonly request: HttpCheck;
  /** Of the route. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Asked for only where a route takes something from it. */
  readonly body: () => RouteBody;
}

/**
 * Takes a text; `undefined` where there is none. Throws `PdpError` `invalid-argument` where something
 * else is there, or a text that upstreams may read otherwise.
 */
export type ValueSource = (facts: RequestFacts) => string | undefined;

const PARTS_MAX = 16;

/** Makes a source of its text. Throws an `Error` that says what is wrong. */
export function parseValueSource(text: string): ValueSource {
  const [kind = "", ...parts] = text.split("/");
  const [first = "", ...rest] = parts;
  if (parts.some((part) => part === "") || parts.length > PARTS_MAX) throw unknownSource(text);
  if (kind === "principal" && parts.length === 0)
    return ({ request }) => present(request.sourcePrincipal, PRINCIPAL);
  if (first === "") throw unknownSource(text);
  switch (kind) {
    case "path":
      if (rest.length > 0) throw unknownSource(text);
      return ({ request, parameters }) => pathFact(request, parameters.get(first));
    case "header": {
      const name = first.toLowerCase();
      if (rest.length > 0) throw unknownSource(text);
      return ({ request }) => headerOf(request, name);
    }
    case "body":
      return ({ body }) => bodyFact(body(), parts);
    case "metadata":
      if (rest.length === 0) throw unknownSource(text);
      return ({ request }) => metadataFact(request, parts);
    case "xfcc": {
      if (rest.length > 0 || !/^(uri|dns|subject|hash)$/.test(first)) throw unknownSource(text);
      return ({ request }) => certificateFieldOf(request, first);
    }
    default:
      throw unknownSource(text);
  }
}

/** With HTTP/2, a path can have bytes that are not UTF-8; "!" of the client's own can be escaped. */
function pathFact({ path }: HttpCheck, value: string | undefined): string | undefined {
  const isReplaced = value?.includes("!") && /^[^?]*!/.test(path);
  if (isReplaced) throw invalidField(PATH, MAY_BE_REPLACED);
  return present(value, PATH);
}

/** Envoy writes a header that is sent twice as one, with a comma, and "!" for what is not UTF-8. */
function headerOf({ headers }: HttpCheck, name: string): string | undefined {
  const field = `attributes.request.http.headers.${name}`;
  const value = headers[name];
  if (value?.includes(",")) {
    const what = "has a comma, and may be two headers in one";
    throw invalidField(field, `${what}; expected a single value`);
  }
  if (value?.includes("!")) throw invalidField(field, MAY_BE_REPLACED);
  return present(value, field);
}

/** A name like that of the peer could stand in the header as more than one field. */
function certificateFieldOf(
  { headers, sourcePrincipal }: HttpCheck,
  field: string,
): string | undefined {
  if (/[,;="]/.test(sourcePrincipal)) throw invalidField(PRINCIPAL, 'has one of , ; = " in it');
  const header = headers["x-forwarded-client-cert"] ?? "";
  return present(clientCertificateField(header, field, sourcePrincipal), CERTIFICATE_HEADER);
}

/**
 * The same for who or where somebody is, which nobody may say of himself. Throws also for what the
 * sender of a request chooses freely, its path and its body.
 */
export function parseVouchedSource(text: string): ValueSource {
  if (/^(?:path|body)\//.test(text)) {
    const expected =
      "expected header/<name>, metadata/<namespace>/<member>/…, principal, or xfcc/<field>";
    throw new Error(`${JSON.stringify(text)} is what whoever asks says of himself; ${expected}`);
  }
  return parseValueSource(text);
}

/** As `parseVouchedSource`, for a list of texts or one of them; empty where there is something else. */
export function parseVouchedList(text: string): (facts: RequestFacts) => readonly string[] {
  const one = parseVouchedSource(text);
  const [kind, ...parts] = text.split("/");
  if (kind !== "metadata") return (facts) => [one(facts) ?? []].flat();
  return ({ request }) => {
    const found = memberAt(filterMetadataOf(request), parts);
    const values: readonly InputValue[] =
      found !== undefined && isList(found) ? found : [found ?? ""];
    return values.filter((value) => typeof value === "string");
  };
}

/** The parameter of the path that a source takes; `undefined` for one that takes something else. */
export function pathParameterOf(text: string): string | undefined {
  return /^path\/(.+)$/.exec(text)?.[1];
}

function unknownSource(text: string): Error {
  return new Error(
    `${JSON.stringify(text)} is no source; expected path/<parameter>, header/<name>, ` +
      "body/<member>/…, metadata/<namespace>/<member>/…, principal, or xfcc/<uri, dns, subject, hash>",
  );
}

function filterMetadataOf({ attributes }: HttpCheck): InputValue {
  const { metadataContext } = attributes as {
    metadataContext?: { filterMetadata?: InputDocument };
  };
  return metadataContext?.filterMetadata ?? noMembers;
}

const noMembers: InputDocument = Object.freeze({});
const PRINCIPAL = "attributes.source.principal";
const CERTIFICATE_HEADER = "attributes.request.http.headers.x-forwarded-client-cert";
const PATH = "attributes.request.http.path";
const BODY = "attributes.request.http.body";
const MAY_BE_REPLACED =
  'has a "!", which Envoy writes for what is not UTF-8; expected a text without';
const METADATA = "attributes.metadata_context.filter_metadata";

/**
 * Many upstreams read what a body says and what a query says as one: with some the query counts first,
 * with others where the body says nothing. An empty text is no text that is missing.
 */
function bodyFact(body: RouteBody, path: readonly string[]): string | undefined {
  const { value, names, query, isReplaced } = body;
  if (spellingsOf(query, path[0]!, "form").length > 0) {
    const what = "stands in the query, too, and the route takes it from the body";
    throw invalidField("attributes.request.http.path", `"${path[0]}" ${what}; expected it in one`);
  }
  const field = `${BODY}.${path.join(".")}`;
  const text = factIn(value, { path, names, field });
  if (text === "") throw invalidField(field, `is empty; ${EXPECTED}`);
  if (isReplaced && text?.includes("!")) throw invalidField(field, MAY_BE_REPLACED);
  return text;
}

/** Envoy's filters say "" of what they don't know. */
function metadataFact(request: HttpCheck, path: readonly string[]): string | undefined {
  const field = `${METADATA}.${path.join(".")}`;
  return factIn(filterMetadataOf(request), { path, names: "metadata", field }) || undefined;
}

interface FactPlace {
  readonly path: readonly string[];
  readonly names: NameKind;
  /** What errors call it. */
  readonly field: string;
}

/**
 * The text at the end of the path; `undefined` where there is no such member. What is there and is
 * something else is refused: to overlook a fact can allow more. Of what is no text, a whole number alone
 * has one way to be written.
 */
function factIn(value: InputValue, { path, names, field }: FactPlace): string | undefined {
  let at = value;
  for (const name of path) {
    if (!isDocument(at)) throw refused(field);
    const member = memberOf(at, name, names);
    if (member === "unclear") throw refused(field);
    if (member === undefined) return undefined;
    at = member.value;
  }
  if (typeof at === "string") return checkFactText(at, field);
  // The others are rounded by some readers, and not by all; of -0, some keep the sign.
  if (Number.isSafeInteger(at) && !Object.is(at, -0)) return String(at);
  throw refused(field);
}

function memberAt(value: InputValue, names: readonly string[]): InputValue | undefined {
  let at: InputValue | undefined = value;
  for (const name of names) {
    if (at === undefined || !isDocument(at) || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return at;
}

function isDocument(value: InputValue): value is InputDocument {
  const isObject = typeof value === "object" && value !== null;
  return isObject && !isList(value) && !(value instanceof NumberText);
}

function isList(value: InputValue): value is readonly InputValue[] {
  return Array.isArray(value);
}

const EXPECTED = "expected one text, or a whole number below 2^53, that all upstreams read alike";

function refused(field: string): PdpError {
  return invalidField(field, `can't be read for sure, and the route takes it; ${EXPECTED}`);
}

function present(text: string | undefined, field: string): string | undefined {
  return text === undefined || text === "" ? undefined : checkFactText(text, field);
}
