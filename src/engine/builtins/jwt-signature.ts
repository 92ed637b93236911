import { constants, createHmac, type KeyObject, timingSafeEqual, verify } from "node:crypto";
import type { TakeSteps } from "./builtin.ts";

/** An algorithm of RFC 7518 or RFC 8037: what kind of key it takes, and its hash. */
export interface JwtAlgorithm {
  readonly family: "HS" | "RS" | "PS" | "ES" | "EdDSA";
  /** As node:crypto names it; `null` where the algorithm has its own. */
  readonly hash: string | null;
}

/** What was signed, and with what. */
export interface SignedText {
  readonly text: string;
  readonly signature: Buffer;
  /** Undefined is a key that no algorithm takes. */
  readonly key: KeyObject | undefined;
  /** Pays for trying the key. */
  readonly takeSteps: TakeSteps;
}

/** Algorithms by their names in `alg`. `none` is not there: an unsigned token never verifies. */
export const jwtAlgorithms: ReadonlyMap<string, JwtAlgorithm> = new Map<string, JwtAlgorithm>([
  ...(["HS", "RS", "PS", "ES"] as const).flatMap((family) =>
    [256, 384, 512].map((bits): [string, JwtAlgorithm] => [
      `${family}${bits}`,
      { family, hash: `sha${bits}` },
    ]),
  ),
  ["EdDSA", { family: "EdDSA", hash: null }],
  ["Ed25519", { family: "EdDSA", hash: null }],
]);

/** Steps for trying a key of the algorithm's kind: one of the slowest curve takes a millisecond. */
const SIGNATURE_STEPS = 100_000;

/** How long the salt of a PS signature must be. */
export type SaltRule = "any" | "as-hash";

/**
 * Whether the signature is the key's. The key says which families it serves, never the token: a
 * public key is no secret of HMAC, and a secret is no public key.
 */
export function isSignedBy(
  signed: SignedText,
  algorithm: JwtAlgorithm,
  salt: SaltRule = "as-hash",
): boolean {
  const { key } = signed;
  if (key === undefined) return false;
  switch (algorithm.family) {
    case "HS":
      return key.type === "secret" && isMacOf(signed, algorithm.hash!, key);
    case "RS":
    case "PS":
      return (
        isSoundRsaKey(key, signed.signature.length) &&
        isVerified(signed, algorithm.hash, { key, ...rsaPadding(algorithm.family, salt) })
      );
    case "ES":
      return (
        key.asymmetricKeyType === "ec" &&
        isVerified(signed, algorithm.hash, { key, dsaEncoding: "ieee-p1363" })
      );
    case "EdDSA":
      return key.asymmetricKeyType === "ed25519" && isVerified(signed, null, { key });
  }
}

type VerifyKey = Parameters<typeof verify>[2];

/** OpenSSL refuses some keys only when they are used, by an exception; Go has an error there. */
function isVerified(signed: SignedText, hash: string | null, key: VerifyKey): boolean {
  signed.takeSteps(SIGNATURE_STEPS);
  try {
    return verify(hash, Buffer.from(signed.text), key, signed.signature);
  } catch {
    return false;
  }
}

function isMacOf({ text, signature }: SignedText, hash: string, key: KeyObject): boolean {
  const mac = createHmac(hash, key).update(text).digest();
  return mac.length === signature.length && timingSafeEqual(mac, signature);
}

function rsaPadding(family: "RS" | "PS", salt: SaltRule) {
  if (family === "RS") return { padding: constants.RSA_PKCS1_PADDING };
  const { RSA_PSS_SALTLEN_AUTO, RSA_PSS_SALTLEN_DIGEST } = constants;
  return {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: salt === "any" ? RSA_PSS_SALTLEN_AUTO : RSA_PSS_SALTLEN_DIGEST,
  };
}

const RSA_BITS_MIN = 1024;
const RSA_EXPONENT_MAX = 2n ** 31n - 1n;

/** Go's demands on RSA keys, and that the signature is as long as the modulus (RFC 8017 §8). */
function isSoundRsaKey(key: KeyObject, signatureBytes: number): boolean {
  if (key.asymmetricKeyType !== "rsa") return false;
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  return (
    modulusLength >= RSA_BITS_MIN &&
    signatureBytes === Math.ceil(modulusLength / 8) &&
    publicExponent >= 3n &&
    publicExponent <= RSA_EXPONENT_MAX &&
    publicExponent % 2n === 1n
  );
}
