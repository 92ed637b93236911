import { generateKeyPairSync } from "node:crypto";

/** A subject alternative name with any bytes for its value. */
export interface SanEntry {
  readonly kind: "DNS" | "URI" | "email";
  readonly bytes: Buffer;
}

/** Tags of GeneralName (RFC 5280 §4.2.1.6). */
const TAGS = { email: 0x81, DNS: 0x82, URI: 0x86 };

const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = publicKey.export({ format: "der", type: "spki" });

/**
 * A certificate in DER with these names, byte by byte, which no tool would write. Its signature is
 * none: who reads names doesn't verify.
 */
export function sanCertificate(entries: readonly SanEntry[]): Buffer {
  const names = der(0x30, ...entries.map(({ kind, bytes }) => der(TAGS[kind], bytes)));
  const ecdsaSha256 = der(0x30, oid("2a8648ce3d040302"));
  const name = der(0x30, der(0x31, der(0x30, oid("550403"), der(0x0c, Buffer.from("test")))));
  const validity = der(0x30, time("260101000000Z"), time("360101000000Z"));
  const extension = der(0x30, oid("551d11"), der(0x04, names));
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ...[ecdsaSha256, name, validity, name, spki],
    der(0xa3, der(0x30, extension)),
  );
  return der(0x30, body, ecdsaSha256, der(0x03, Buffer.from([0, 0x30, 0])));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function time(text: string): Buffer {
  return der(0x17, Buffer.from(text));
}

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
