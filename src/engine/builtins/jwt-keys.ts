/**
 * Keys that verify tokens, from what a policy writes down: a PEM certificate, a PEM public key, a
 * JWK, or a set of JWKs. Whether a certificate is trusted or expired is not looked at, as in OPA.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { BuiltinError, type TakeSteps } from "./builtin.ts";
import { readCertificate } from "./certificate.ts";
import { decodeBase64 } from "./go-base64.ts";
import { readJwks, type VerificationKey } from "./jwk.ts";
import type { JoseHeader } from "./jwt-token.ts";
import { checkText } from "./limits.ts";

/** Texts whose keys are kept: reading one takes as long as verifying a signature. */
const KEPT_MAX = 64;

/** Longest text whose keys are kept, in UTF-16 units, so that the kept ones stay below 8 MiB. */
const KEPT_LENGTH_MAX = 65_536;

const kept = new Map<string, readonly VerificationKey[]>();

/** Steps per character of text with keys: a key of 400 takes a tenth of a millisecond. */
const KEY_CHARACTER_STEPS = 25;

/** The keys of the text, in its order. Throws `BuiltinError` if one can't be read. */
export function readVerificationKeys(
  text: string,
  takeSteps: TakeSteps,
): readonly VerificationKey[] {
  takeSteps(KEY_CHARACTER_STEPS * text.length);
  const known = kept.get(text);
  if (known !== undefined) {
    kept.delete(text);
    kept.set(text, known);
    return known;
  }
  const read = readAnew(checkText(text));
  if (text.length <= KEPT_LENGTH_MAX) kept.set(text, read);
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value!);
  return read;
}

/**
 * Whether a key of the list passes. The key that the token names by `kid` is the only one tried; if
 * there is none, all are, but for those of another algorithm than the token's.
 */
export function somePasses(
  keys: readonly VerificationKey[],
  { kid, alg }: JoseHeader,
  passes: (key: KeyObject | undefined) => boolean,
): boolean {
  const named = kid === "" ? undefined : keys.find((key) => key.kid === kid);
  if (named !== undefined) return passes(named.key);
  return keys.some((key) => (key.alg === "" || key.alg === alg) && passes(key.key));
}

/** A block as Go's encoding/pem finds it; nothing but the end of its last line may follow. */
const PEM_BLOCK =
  /(?:^|\n)-----BEGIN ([^\n]*)-----[ \t\r]*\n([A-Za-z0-9+/= \t\r\n]*?)\n-----END \1-----[ \t\r]*(?:\n|$)/;

function readAnew(text: string): readonly VerificationKey[] {
  const block = PEM_BLOCK.exec(text);
  if (block === null) return readJwks(text);
  if (block.index + block[0].length < text.length) throw new BuiltinError("text after the PEM");
  const der = decodeBase64(block[2]!.replace(/[ \t]/g, ""), { urlSafe: false, padded: true });
  if (der === undefined) throw new BuiltinError("the PEM is not base64");
  return [{ kid: "", alg: "", key: readDer(block[1]!, der) }];
}

function readDer(label: string, der: Buffer): KeyObject | undefined {
  if (label === "CERTIFICATE") return keyOfCertificate(der);
  if (label === "PUBLIC KEY") return readPublicKey(der);
  throw new BuiltinError("expected a certificate or a public key");
}

/** A certificate may hold a key that Go does not know; it then verifies nothing. */
function keyOfCertificate(der: Buffer): KeyObject | undefined {
  const certificate = readCertificate(der);
  let key: KeyObject;
  try {
    key = certificate.publicKey;
  } catch {
    return undefined;
  }
  return key.asymmetricKeyType === "ec" ? withKnownCurve(key) : key;
}

const KEY_TYPES: ReadonlySet<string | undefined> = new Set([
  ...["rsa", "dsa", "ec", "ed25519", "x25519"],
]);

function readPublicKey(der: Buffer): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: der, format: "der", type: "spki" });
  } catch {
    throw new BuiltinError("the public key can't be read");
  }
  if (!KEY_TYPES.has(key.asymmetricKeyType)) throw new BuiltinError("an unknown kind of key");
  // OpenSSL reads what follows the key, and parameters that should not be there.
  if (!key.export({ format: "der", type: "spki" }).equals(der)) {
    throw new BuiltinError("the public key is not in its canonical encoding");
  }
  return key.asymmetricKeyType === "ec" ? withKnownCurve(key) : key;
}

const CURVES: ReadonlySet<string | undefined> = new Set([
  ...["prime256v1", "secp224r1", "secp384r1", "secp521r1"],
]);

function withKnownCurve(key: KeyObject): KeyObject {
  if (CURVES.has(key.asymmetricKeyDetails?.namedCurve)) return key;
  throw new BuiltinError("an unknown curve");
}
