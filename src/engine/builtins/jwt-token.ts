import { readJson } from "../../base/read-json.ts";
import { parseTerm } from "../term.ts";
import { type Term, TermObject } from "../term-value.ts";
import { BuiltinError, BuiltinLimit } from "./builtin.ts";
import { decodeBase64 } from "./go-base64.ts";
import { textOfJson } from "./go-utf8.ts";
import { checkText } from "./limits.ts";
import { asString, isArray } from "./operands.ts";

/** A token in JWS compact serialization (RFC 7515 §7.1), its parts still encoded. */
export interface JwtParts {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

/** What verification reads of a JOSE header; an absent text is empty. */
export interface JoseHeader {
  readonly alg: string;
  readonly kid: string;
  readonly cty: string;
  /** Whether a member that must be understood is there, and is not. */
  readonly hasUnknownCritical: boolean;
}

/** The three parts of a token. Throws `BuiltinError` if it has more or less of them. */
export function splitToken(token: Term | undefined): JwtParts {
  const [header, payload, signature, ...more] = checkText(asString(token)).split(".", 4);
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) {
    throw new BuiltinError("a token has three parts");
  }
  return { header, payload, signature };
}

/** Bytes of one part. The padding may be left out, as RFC 7515 has it, or be there. */
export function decodePart(part: string): Buffer {
  const missing = part.endsWith("=") ? "" : "=".repeat(-part.length & 3);
  const bytes = decodeBase64(part + missing, { urlSafe: true, padded: true });
  if (bytes === undefined) throw new BuiltinError("a part of the token is not base64url");
  return bytes;
}

/** The header as an object. Encrypted tokens, which RFC 7516 §9 tells by `enc`, are refused. */
export function decodeHeader(token: JwtParts): TermObject {
  const header = readJsonObject(decodePart(token.header));
  if (header.get("enc") !== undefined) throw new BuiltinError("the token is encrypted");
  return header;
}

/** The JSON object of the text, its numbers with every digit. */
export function readJsonObject(bytes: Uint8Array): TermObject {
  const text = textOfJson(bytes);
  if (!isJson(text)) throw new BuiltinError("expected JSON");
  const value = parseShallow(text);
  if (value instanceof TermObject) return value;
  throw new BuiltinError("expected a JSON object");
}

/** Text of a member, empty if it is absent; `null` is not text. */
export function memberText(object: TermObject, name: string): string {
  const value = object.get(name);
  return value === undefined ? "" : asString(value);
}

/** Reads the members that verification needs. Throws `BuiltinError` where one has a wrong type. */
export function readJoseHeader(header: TermObject): JoseHeader {
  memberText(header, "typ");
  const critical = criticalNames(header.get("crit"));
  return {
    alg: memberText(header, "alg"),
    kid: memberText(header, "kid"),
    cty: memberText(header, "cty"),
    hasUnknownCritical: critical.some((name) => header.indexOf(name) >= 0 && !UNDERSTOOD.has(name)),
  };
}

const UNDERSTOOD: ReadonlySet<string> = new Set(["alg", "kid", "typ", "cty", "crit"]);

/** OPA reads the names up to the first that is no string, and needs one at least. */
function criticalNames(crit: Term | undefined): readonly string[] {
  if (crit === undefined) return [];
  if (!isArray(crit)) throw new BuiltinError("expected a list of critical members");
  const end = crit.findIndex((name) => typeof name !== "string");
  const names = (end < 0 ? crit : crit.slice(0, end)) as readonly string[];
  if (names.length === 0) throw new BuiltinError("expected names of critical members");
  return names;
}

function isJson(text: string): boolean {
  try {
    readJson(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw new BuiltinLimit("JSON that is nested too deep");
  }
}

/** The text is JSON; that it is nested too deep is all that a term can have against it. */
function parseShallow(text: string): Term {
  try {
    return parseTerm(text);
  } catch {
    throw new BuiltinLimit("JSON that is nested too deep");
  }
}
