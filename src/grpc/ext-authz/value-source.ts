/**
 * Where the facts of a question are taken from in Envoy's request: a text such as `path/id`,
 * `header/x-owner`, `body/agent/owner`, `metadata/envoy.filters.http.jwt_authn/payload/sub`,
 * `principal`, or `xfcc/uri`.
 */
import type { InputValue } from "../../pipeline/pipeline.ts";
import type { HttpCheck } from "./check-request.ts";
import { clientCertificateField } from "./client-certificate.ts";

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
      return ({ body }) => textOf(memberAt(body(), parts));
    case "metadata":
      if (rest.length === 0) throw unknownSource(text);
      return ({ request }) => textOf(memberAt(filterMetadataOf(request), parts));
    case "xfcc": {
      if (rest.length > 0 || !/^(uri|dns|subject|hash)$/.test(first)) throw unknownSource(text);
      return ({ request }) =>
        clientCertificateField(request.headers["x-forwarded-client-cert"] ?? "", first);
    }
    default:
      throw unknownSource(text);
  }
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

function filterMetadataOf({ attributes }: HttpCheck): InputValue | undefined {
  return memberAt(attributes, ["metadataContext", "filterMetadata"]);
}

function memberAt(value: InputValue | undefined, names: readonly string[]): InputValue | undefined {
  let at = value;
  for (const name of names) {
    if (typeof at !== "object" || at === null || Array.isArray(at)) return undefined;
    at = Object.hasOwn(at, name)
      ? (at as { readonly [name: string]: InputValue })[name]
      : undefined;
  }
  return at;
}

/** Of what is no text, a whole number alone has one way to be written. */
function textOf(value: InputValue | undefined): string | undefined {
  if (typeof value === "string") return present(value);
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return String(value);
  return undefined;
}

function present(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
