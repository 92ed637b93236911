import { createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import type { TermObject } from "../term-value.ts";
import { BuiltinError } from "./builtin.ts";
import { readCertificate } from "./certificate.ts";
import { decodeBase64 } from "./go-base64.ts";
import { jwtAlgorithms } from "./jwt-signature.ts";
import { readJsonObject } from "./jwt-token.ts";
import { asArray, asObject, asString } from "./operands.ts";

/** A key, and which tokens it is for. */
export interface VerificationKey {
  /** Empty if it has none. */
  readonly kid: string;
  /** Empty if it may verify any algorithm of its kind. */
  readonly alg: string;
  /** Undefined is a key of a kind that verifies nothing here. */
  readonly key: KeyObject | undefined;
}

/** Most keys of a set; OPA refuses more, too. */
const KEYS_MAX = 1000;

/**
 * Keys of a JWK or of a set of JWKs (RFC 7517), in their order. Throws `BuiltinError` if one is
 * malformed: a set is whole or not there. Keys for other uses are left out.
 */
export function readJwks(text: string): readonly VerificationKey[] {
  const document = readJsonObject(Buffer.from(text));
  const keys = document.get("keys");
  const jwks = keys === undefined ? [document] : asArray(keys).map(asObject);
  if (jwks.length > KEYS_MAX) throw new BuiltinError(`more than ${KEYS_MAX} keys`);
  return jwks.map(readJwk).filter(({ alg }) => alg === "" || VERIFYING.has(alg));
}

/** `Ed25519` is not there: OPA takes it from a token, but skips a key that has it. */
const VERIFYING: ReadonlySet<string> = new Set(
  [...jwtAlgorithms.keys()].filter((name) => name !== "Ed25519"),
);

const KEY_WRAPPING = ["A128", "A192", "A256"].flatMap((cipher) => [
  `${cipher}KW`,
  `${cipher}GCMKW`,
]);

/** Algorithms that a key may be for, and verifies nothing with (RFC 7518 §4, §5, RFC 9864). */
const NOT_VERIFYING: ReadonlySet<string> = new Set([
  ...["none", "Ed25519", "ES256K", "dir", "RSA1_5", "RSA-OAEP"],
  ...["RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512", ...KEY_WRAPPING],
  ...["ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"],
  ...["PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW"],
  ...["A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"],
]);

function readJwk(jwk: TermObject): VerificationKey {
  checkUnusedMembers(jwk);
  const alg = jwk.get("alg");
  if (alg !== undefined && !VERIFYING.has(asString(alg)) && !NOT_VERIFYING.has(asString(alg))) {
    throw new BuiltinError("a JWK for an unknown algorithm");
  }
  const kid = jwk.get("kid") ?? "";
  return { alg: asString(alg ?? ""), kid: asString(kid), key: readKey(jwk) };
}

/** Most certificates in `x5c`; OPA refuses more, too. */
const CHAIN_MAX = 10;

/** What verification doesn't read must be well-formed all the same, as in OPA. */
function checkUnusedMembers(jwk: TermObject): void {
  const operations = jwk.get("key_ops") ?? [];
  const texts = ["use", "x5u", "x5t", "x5t#S256"].map((name) => jwk.get(name) ?? "");
  for (const text of [...texts, ...asArray(operations)]) asString(text ?? "");
  const x5c = jwk.get("x5c");
  if (x5c === undefined) return;
  const chain = asArray(x5c).map(asString);
  if (chain.length > CHAIN_MAX) throw new BuiltinError(`more than ${CHAIN_MAX} certificates`);
  chain.forEach(checkCertificate);
}

function checkCertificate(text: string): void {
  const der = decodeBase64(text.replace(/[ \t\v\f]/g, ""), { urlSafe: false, padded: true });
  if (der === undefined) throw new BuiltinError("a certificate that is not base64");
  readCertificate(der);
}

function readKey(jwk: TermObject): KeyObject | undefined {
  const key = KEY_READERS.get(asString(jwk.get("kty")));
  if (key === undefined) throw new BuiltinError("a JWK of an unknown type");
  const read = key(jwk);
  // A private key has no place in a policy, and OPA's verify_* do not take one either.
  return jwk.get("d") === undefined || read?.type === "secret" ? read : undefined;
}

const KEY_READERS: ReadonlyMap<string, (jwk: TermObject) => KeyObject | undefined> = new Map([
  ["RSA", readRsaKey],
  ["EC", readEcKey],
  ["OKP", readOkpKey],
  ["oct", (jwk: TermObject) => createSecretKey(bytesOf(jwk, "k"))],
]);

const RSA_EXPONENT_LIMIT = 2n ** 63n;

function readRsaKey(jwk: TermObject): KeyObject {
  const n = bytesOf(jwk, "n");
  const e = bytesOf(jwk, "e");
  const key = importJwk({ kty: "RSA", n: n.toString("base64url"), e: e.toString("base64url") });
  const { publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (publicExponent % 2n === 1n && publicExponent < RSA_EXPONENT_LIMIT) return key;
  throw new BuiltinError("an RSA key with an exponent that can't be");
}

/** Bytes of a coordinate by curve. */
const CURVE_BYTES: ReadonlyMap<string, number> = new Map([
  ["P-256", 32],
  ["P-384", 48],
  ["P-521", 66],
]);

function readEcKey(jwk: TermObject): KeyObject {
  const crv = asString(jwk.get("crv"));
  const [x, y] = [bytesOf(jwk, "x"), bytesOf(jwk, "y")];
  const size = CURVE_BYTES.get(crv);
  if (x.length !== size || y.length !== size) throw new BuiltinError("not a point of the curve");
  return importJwk({ kty: "EC", crv, x: x.toString("base64url"), y: y.toString("base64url") });
}

const OKP_BYTES = 32;

function readOkpKey(jwk: TermObject): KeyObject | undefined {
  const crv = asString(jwk.get("crv"));
  const x = bytesOf(jwk, "x");
  if (x.length !== OKP_BYTES || (crv !== "Ed25519" && crv !== "X25519")) {
    throw new BuiltinError("an unknown curve, or a key of another length");
  }
  // X25519 is for key agreement.
  return crv === "X25519" ? undefined : importJwk({ kty: "OKP", crv, x: x.toString("base64url") });
}

function importJwk(key: Record<string, string>): KeyObject {
  try {
    return createPublicKey({ key, format: "jwk" });
  } catch {
    throw new BuiltinError("a JWK that is not a key");
  }
}

/** OPA takes either alphabet of base64, padded or not. */
function bytesOf(jwk: TermObject, name: string): Buffer {
  const text = asString(jwk.get(name));
  const bytes = decodeBase64(text, { urlSafe: !/[+/]/.test(text), padded: text.endsWith("=") });
  if (bytes === undefined || bytes.length === 0) throw new BuiltinError(`a JWK without "${name}"`);
  return bytes;
}
