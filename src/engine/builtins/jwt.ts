/** JSON Web Tokens (RFC 7519): decoded and verified. Not for making them. */
import { createSecretKey } from "node:crypto";
import { type Term, TermObject } from "../term-value.ts";
import type { BuiltinContext, BuiltinFamily, HostBuiltin } from "./builtin.ts";
import { readConstraints, type TokenConstraints } from "./jwt-constraints.ts";
import { readVerificationKeys, somePasses } from "./jwt-keys.ts";
import { isSignedBy, type JwtAlgorithm, jwtAlgorithms } from "./jwt-signature.ts";
import {
  decodeHeader,
  decodePart,
  type JwtParts,
  memberText,
  readJoseHeader,
  readJsonObject,
  splitToken,
} from "./jwt-token.ts";
import { checkText } from "./limits.ts";
import { asString } from "./operands.ts";

/** Decodes and verifies tokens; what can't be decoded is undefined, a wrong signature false. */
export const jwtBuiltins: BuiltinFamily = {
  "io.jwt.decode": ([token]) => decode(token),
  "io.jwt.decode_verify": ([token, constraints], context) =>
    decodeAndVerify(token, readConstraints(constraints, context), context),
  ...Object.fromEntries(
    [...jwtAlgorithms]
      // One function serves both names of the algorithm.
      .filter(([name]) => name !== "Ed25519")
      .map(([name, algorithm]) => [`io.jwt.verify_${name.toLowerCase()}`, verifyWith(algorithm)]),
  ),
};

function verifyWith(algorithm: JwtAlgorithm): HostBuiltin {
  return ([token, key], { takeSteps }) => {
    const parts = splitToken(token);
    const signed = { ...signedPartOf(parts), takeSteps };
    if (algorithm.family === "HS") {
      // The text of the key is the secret, whatever it looks like; the header is not read.
      return isSignedBy({ ...signed, key: createSecretKey(Buffer.from(asString(key))) }, algorithm);
    }
    const header = readJoseHeader(decodeHeader(parts));
    return somePasses(readVerificationKeys(asString(key), takeSteps), header, (candidate) =>
      isSignedBy({ ...signed, key: candidate }, algorithm, "any"),
    );
  };
}

/** Header, payload, and signature in hexadecimal; of nested tokens those of the innermost. */
function decode(token: Term | undefined): Term {
  const parts = splitToken(token);
  const header = decodeHeader(parts);
  const payload = decodePart(parts.payload);
  if (memberText(header, "cty") === "JWT") {
    // Some encoders quote the inner token.
    return decode(withoutQuotes(payload.toString()));
  }
  return [header, readJsonObject(payload), checkText(decodePart(parts.signature).toString("hex"))];
}

function withoutQuotes(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isQuote(text[start])) start += 1;
  while (start < end && isQuote(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

function isQuote(sign: string | undefined): boolean {
  return sign === '"' || sign === "'";
}

function signedPartOf({ header, payload, signature }: JwtParts) {
  return { text: `${header}.${payload}`, signature: decodePart(signature) };
}

const EMPTY_OBJECT = new TermObject([], []);
const UNVERIFIED: Term = [false, EMPTY_OBJECT, EMPTY_OBJECT];

/** `[true, header, payload]` of a token that meets the constraints, `[false, {}, {}]` of others. */
function decodeAndVerify(
  token: Term | undefined,
  constraints: TokenConstraints,
  context: BuiltinContext,
): Term {
  const parts = splitToken(token);
  const headerObject = decodeHeader(parts);
  const header = readJoseHeader(headerObject);
  if (header.alg === "" || header.hasUnknownCritical) return UNVERIFIED;
  if (constraints.alg !== "" && constraints.alg !== header.alg) return UNVERIFIED;
  const signed = { ...signedPartOf(parts), takeSteps: context.takeSteps };
  const algorithm = jwtAlgorithms.get(header.alg);
  if (algorithm === undefined) return UNVERIFIED;
  const isSigned = somePasses(constraints.keys, header, (key) =>
    isSignedBy({ ...signed, key }, algorithm),
  );
  if (!isSigned) return UNVERIFIED;
  const payload = decodePart(parts.payload);
  // Each token inside of a token must be signed by the same keys.
  if (/^jwt$/i.test(header.cty)) return decodeAndVerify(payload.toString(), constraints, context);
  const claims = readJsonObject(payload);
  return constraints.areMetBy(claims) ? [true, headerObject, claims] : UNVERIFIED;
}
