import { createSecretKey } from "node:crypto";
import { compareTerms, type Term, TermNumber, type TermObject } from "../term-value.ts";
import { type BuiltinContext, BuiltinError, type TakeSteps } from "./builtin.ts";
import type { VerificationKey } from "./jwk.ts";
import { readVerificationKeys } from "./jwt-keys.ts";
import { memberText } from "./jwt-token.ts";
import { asNumber, asObject, asString, isArray } from "./operands.ts";

/** What `io.jwt.decode_verify` demands of a token. */
export interface TokenConstraints {
  /** The keys of `cert`, or the secret: never both, so that neither is taken for the other. */
  readonly keys: readonly VerificationKey[];
  /** The only algorithm that is accepted; empty if any is. */
  readonly alg: string;
  /** Whether `iss`, `aud`, `exp` and `nbf` are as they must be. Throws `BuiltinError`. */
  readonly areMetBy: (claims: TermObject) => boolean;
}

const NAMES: ReadonlySet<Term> = new Set(["cert", "secret", "alg", "iss", "aud", "time"]);

/** Reads the constraints. Throws `BuiltinError` if one is unknown, or has a wrong type. */
export function readConstraints(term: Term | undefined, context: BuiltinContext): TokenConstraints {
  const object = asObject(term);
  if (!object.keys.every((name) => NAMES.has(name))) throw new BuiltinError("unknown constraint");
  const [alg, iss, aud] = ["alg", "iss", "aud"].map((name) => memberText(object, name));
  const now = secondsOf(object, context);
  return {
    keys: keysOf(object, context.takeSteps),
    alg: alg!,
    areMetBy: (claims) =>
      isIssuedBy(claims.get("iss"), iss!) &&
      isMeantFor(claims.get("aud"), aud!) &&
      isUnexpired(claims.get("exp"), now) &&
      isStarted(claims.get("nbf"), now),
  };
}

function keysOf(object: TermObject, takeSteps: TakeSteps): readonly VerificationKey[] {
  const cert = object.get("cert");
  const secret = memberText(object, "secret");
  if ((cert === undefined) === (secret === "")) throw new BuiltinError("expected cert or secret");
  return cert === undefined
    ? [{ kid: "", alg: "", key: createSecretKey(Buffer.from(secret)) }]
    : readVerificationKeys(asString(cert), takeSteps);
}

/** The time in seconds, as OPA's floating point arithmetic has it. */
function secondsOf(object: TermObject, { nowNs }: BuiltinContext): TermNumber {
  const time = object.get("time");
  const nanoseconds = Number(time === undefined ? nowNs : asNumber(time).text);
  if (Number.isFinite(nanoseconds) && nanoseconds >= 0) {
    return new TermNumber(String(nanoseconds / 1e9));
  }
  throw new BuiltinError("expected a time that is not negative");
}

function isIssuedBy(claim: Term | undefined, iss: string): boolean {
  return iss === "" || claim === iss;
}

/** A token for an audience is refused where none is demanded, too. */
function isMeantFor(claim: Term | undefined, aud: string): boolean {
  if (claim === undefined) return aud === "";
  return isArray(claim) ? claim.includes(aud) : claim === aud;
}

function isUnexpired(exp: Term | undefined, now: TermNumber): boolean {
  return exp === undefined || compareTerms(now, asNumber(exp)) < 0;
}

function isStarted(nbf: Term | undefined, now: TermNumber): boolean {
  return nbf === undefined || compareTerms(now, asNumber(nbf)) >= 0;
}
