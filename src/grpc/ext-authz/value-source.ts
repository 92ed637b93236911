/**
 * Where the facts of a question are taken from in Envoy's request: a text such as `path/id`,
 * `header/x-owner`, `body/agent/owner`, `metadata/envoy.filters.http.jwt_authn/payload/sub`,
 * `principal`, or `xfcc/uri`.
 */
import { foldCase } from "../../base/fold-case.ts";
import type { PdpError } from "../../decision/error.ts";
import type { InputDocument, InputValue } from "../../pipeline/pipeline.ts";
import type { HttpCheck } from "./check-request.ts";
import { clientCertificateField } from "./client-certificate.ts";
import { invalidField } from "./malformed.ts";

/** What there is to take from. */
export interface RequestFacts {
  readonly request: HttpCheck;
  /** Of the route. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The body as parsed; asked for only where a route takes something from it. */
  readonly body: () => InputValue;
}

/** Takes a text; `undefined` where there is none, or something else. */
export type ValueSource = (facts: RequestFacts) => string | undefined;

const PARTS_MAX = 16;

/** Makes a source of its text. Throws an `Error` that says what is wrong. */
export function parseValueSource(text: string): ValueSource {
  const [kind = "", ...parts] = text.split("/");
  const [first = "", ...rest] = parts;
  if (parts.some((part) => part === "") || parts.length > PARTS_MAX) throw unknownSource(text);
  if (kind === "principal" && parts.length === 0)
    return ({ request }) => present(request.sourcePrincipal);
  if (first === "") throw unknownSource(text);
  switch (kind) {
    case "path":
      if (rest.length > 0) throw unknownSource(text);
      return ({ parameters }) => present(parameters.get(first));
    case "header": {
      const name = first.toLowerCase();
      if (rest.length > 0) throw unknownSource(text);
      return ({ request }) => present(request.headers[name]);
    }
    case "body":
      return ({ body }) => factIn(body(), parts, BODY);
    case "metadata":
      if (rest.length === 0) throw unknownSource(text);
      return ({ request }) => factIn(filterMetadataOf(request), parts, METADATA);
    case "xfcc": {
      if (rest.length > 0 || !/^(uri|dns|subject|hash)$/.test(first)) throw unknownSource(text);
      return ({ request }) => certificateFieldOf(request, first);
    }
    default:
      throw unknownSource(text);
  }
}

/** A name like that of the peer could stand in the header as more than one field. */
function certificateFieldOf(
  { headers, sourcePrincipal }: HttpCheck,
  field: string,
): string | undefined {
  if (/[,;="]/.test(sourcePrincipal)) {
    throw invalidField("attributes.source.principal", 'has one of , ; = " in it');
  }
  return clientCertificateField(headers["x-forwarded-client-cert"] ?? "", field, sourcePrincipal);
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

/** Names of the parameters that a source takes from the path. */
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
const BODY = "attributes.request.http.body";
const METADATA = "attributes.metadata_context.filter_metadata";

/**
 * The text at the end of the path; `undefined` where there is no such member. What is there and is
 * something else is refused: to overlook a fact can allow more. Of what is no text, a whole number alone
 * has one way to be written.
 */
function factIn(value: InputValue, names: readonly string[], field: string): string | undefined {
  let at = value;
  for (const name of names) {
    if (typeof at !== "object" || at === null || isList(at)) throw refused(field, names);
    const member = memberOf(at, name);
    if (member === "unclear") throw refused(field, names);
    if (member === undefined) return undefined;
    at = member.value;
  }
  if (typeof at === "string") return present(at);
  if (typeof at === "bigint" || Number.isSafeInteger(at)) return String(at);
  throw refused(field, names);
}

function memberAt(value: InputValue, names: readonly string[]): InputValue | undefined {
  let at: InputValue | undefined = value;
  for (const name of names) {
    if (typeof at !== "object" || at === null || isList(at) || !Object.hasOwn(at, name)) {
      return undefined;
    }
    at = at[name];
  }
  return at;
}

/** To readers that don't mind case, as Go's, and of forms with `name[]`, it may have another spelling. */
function memberOf(
  object: InputDocument,
  name: string,
): { readonly value: InputValue } | "unclear" | undefined {
  const folded = foldCase(name);
  const spelt = Object.keys(object).filter((key) => {
    const given = foldCase(key);
    return given === undefined || given === folded || given.startsWith(`${folded}[`);
  });
  if (spelt.length === 0) return undefined;
  return spelt.length === 1 && spelt[0] === name ? { value: object[name]! } : "unclear";
}

function isList(value: InputValue): value is readonly InputValue[] {
  return Array.isArray(value);
}

function refused(field: string, names: readonly string[]): PdpError {
  const what = "is not one text or whole number, and the route takes it";
  return invalidField(`${field}.${names.join(".")}`, what);
}

function present(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
