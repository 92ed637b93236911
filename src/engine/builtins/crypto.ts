import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Term } from "../term-value.ts";
import type { BuiltinFamily } from "./builtin.ts";
import { asString } from "./operands.ts";

/** Hashes and message authentication codes, in hexadecimal. */
export const cryptoBuiltins: BuiltinFamily = {
  "crypto.md5": ([text]) => hash("md5", text),
  "crypto.sha1": ([text]) => hash("sha1", text),
  "crypto.sha256": ([text]) => hash("sha256", text),
  "crypto.hmac.md5": ([text, key]) => hmac("md5", text, key),
  "crypto.hmac.sha1": ([text, key]) => hmac("sha1", text, key),
  "crypto.hmac.sha256": ([text, key]) => hmac("sha256", text, key),
  "crypto.hmac.sha512": ([text, key]) => hmac("sha512", text, key),
  "crypto.hmac.equal": ([a, b]) => equalInConstantTime(asString(a), asString(b)),
};

function hash(algorithm: string, text: Term | undefined): string {
  return createHash(algorithm).update(asString(text)).digest("hex");
}

function hmac(algorithm: string, text: Term | undefined, key: Term | undefined): string {
  return createHmac(algorithm, asString(key)).update(asString(text)).digest("hex");
}

function equalInConstantTime(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
