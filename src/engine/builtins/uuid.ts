import { type Term, type TermObject, termInteger, termObject } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { asString } from "./operands.ts";

/** What a UUID says about itself (RFC 4122). */
export const uuidBuiltins: BuiltinFamily = {
  "uuid.parse": ([text]) => describeUuid(bytesOfUuid(asString(text))),
};

const DASHED = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const BARE = /^[0-9a-f]{32}$/i;
const URN = /^urn:uuid:/i;
/** 100 ns intervals between 1582-10-15 and the Unix epoch. */
const GREGORIAN_OFFSET = 122_192_928_000_000_000n;
const DOMAINS = ["Person", "Group", "Org"];

function bytesOfUuid(text: string): Buffer {
  if (BARE.test(text)) return Buffer.from(text, "hex");
  const dashed = dashedPart(text);
  if (!DASHED.test(dashed)) throw new BuiltinError("not a UUID");
  return Buffer.from(dashed.replaceAll("-", ""), "hex");
}

/** google/uuid does not look at the two characters around a UUID in braces. */
function dashedPart(text: string): string {
  if (text.length === 38 && Buffer.byteLength(text) === 38) return text.slice(1, 37);
  return URN.test(text) ? text.slice(9) : text;
}

function describeUuid(bytes: Buffer): TermObject {
  const version = bytes[6]! >> 4;
  const fields: [string, Term][] = [
    ["version", termInteger(version)],
    ["variant", variantOf(bytes[8]!)],
  ];
  if (version === 1 || version === 2) {
    fields.push(
      // Before 1677 the nanoseconds overflow, as they do in Go.
      ["time", termInteger(BigInt.asIntN(64, (timestampOf(bytes) - GREGORIAN_OFFSET) * 100n))],
      ["nodeid", bytes.subarray(10).toString("hex").match(/../g)!.join("-")],
      ["macvariables", macVariables(bytes[10]!)],
      ["clocksequence", termInteger(bytes.readUInt16BE(8) & 0x3fff)],
    );
  }
  if (version === 2) {
    const domain = bytes[9]!;
    fields.push(
      ["id", termInteger(bytes.readUInt32BE(0))],
      ["domain", DOMAINS[domain] ?? `Domain${domain}`],
    );
  }
  return termObject(fields);
}

function timestampOf(bytes: Buffer): bigint {
  const low = BigInt(bytes.readUInt32BE(0));
  const middle = BigInt(bytes.readUInt16BE(4));
  const high = BigInt(bytes.readUInt16BE(6) & 0x0fff);
  return low | (middle << 32n) | (high << 48n);
}

function variantOf(byte: number): string {
  if ((byte & 0xc0) === 0x80) return "RFC4122";
  if ((byte & 0xe0) === 0xc0) return "Microsoft";
  return (byte & 0xe0) === 0xe0 ? "Future" : "Reserved";
}

function macVariables(byte: number): string {
  return `${(byte & 2) === 0 ? "global" : "local"}:${(byte & 1) === 0 ? "unicast" : "multicast"}`;
}
