import { spawnSync } from "node:child_process";
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Term, termInteger, termObject } from "../../src/engine/term-value.ts";
import type { BuiltinCall } from "./builtin-oracle.ts";

/** A pair of keys, of a kind that signs tokens. */
export interface TokenKeys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** What a token is made of; parts that are text are taken as they are, others as JSON. */
export interface TokenSource {
  readonly header?: object | string;
  readonly payload?: object | string;
  /** Algorithm of the signature, and of the header unless that names another. */
  readonly alg: string;
  readonly key: KeyObject | string;
}

/** New keys: `rsa` of the given number of bits, `ec` of the named curve, or `ed25519`. */
export function makeTokenKeys(kind: "rsa" | "ec" | "ed25519", detail: number | string): TokenKeys {
  if (kind === "rsa") return generateKeyPairSync("rsa", { modulusLength: Number(detail) });
  if (kind === "ec") return generateKeyPairSync("ec", { namedCurve: String(detail) });
  return generateKeyPairSync("ed25519");
}

/** A signed token. */
export function makeToken({ header = {}, payload = {}, alg, key }: TokenSource): string {
  const head = typeof header === "string" ? header : { alg, typ: "JWT", ...header };
  const signed = `${encodePart(head)}.${encodePart(payload)}`;
  return `${signed}.${signatureOf(signed, alg, key).toString("base64url")}`;
}

/** One part of a token. */
export function encodePart(content: object | string): string {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  return Buffer.from(text).toString("base64url");
}

/** The token with one bit of a part changed. */
export function tampered(token: string, part: 0 | 1 | 2): string {
  const parts = token.split(".");
  const bytes = Buffer.from(parts[part]!, "base64url");
  bytes[bytes.length - 3]! ^= 1;
  parts[part] = bytes.toString("base64url");
  return parts.join(".");
}

/** The token with another signature. */
export function withSignature(token: string, change: (signature: Buffer) => Buffer): string {
  const [header, payload, signature] = token.split(".");
  const changed = change(Buffer.from(signature!, "base64url")).toString("base64url");
  return `${header}.${payload}.${changed}`;
}

/** A call of `io.jwt.<name>`. */
export function jwtCall(name: string, ...args: Term[]): BuiltinCall {
  return { name: `io.jwt.${name}`, args };
}

/** Constraints of `io.jwt.decode_verify`; numbers are integers. */
export function constraintsOf(members: Readonly<Record<string, Term | number>>): Term {
  return termObject(
    Object.entries(members).map(([name, value]): [string, Term] => [
      name,
      typeof value === "number" ? termInteger(value) : value,
    ]),
  );
}

/** A public key as PEM text. */
export function pemOf({ publicKey }: TokenKeys): string {
  return publicKey.export({ format: "pem", type: "spki" }) as string;
}

/** A public key as the text of a JWK, with further members. */
export function jwkOf({ publicKey }: TokenKeys, members: object = {}): string {
  return JSON.stringify({ ...publicKey.export({ format: "jwk" }), ...members });
}

/** A self-signed certificate as PEM text, made with OpenSSL. */
export function certificateOf({ privateKey }: TokenKeys): string {
  const folder = mkdtempSync(join(tmpdir(), "postern-test-jwt-"));
  try {
    const file = join(folder, "key.pem");
    writeFileSync(file, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
    const args = ["req", "-x509", "-key", file, "-days", "2", "-subj", "/CN=tokens"];
    const { status, stdout, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function signatureOf(text: string, alg: string, key: KeyObject | string): Buffer {
  const hash = `sha${alg.slice(2)}`;
  if (typeof key === "string") return createHmac(hash, key).update(text).digest();
  const data = Buffer.from(text);
  if (alg.startsWith("Ed")) return sign(null, data, key);
  if (alg.startsWith("ES")) return sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
  if (alg.startsWith("RS")) return sign(hash, data, key);
  return sign(hash, data, { key, padding: 6, saltLength: -1 });
}
