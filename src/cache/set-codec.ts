import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { SetKey } from "./cache.ts";
import { SEAL_BYTES, type Seal } from "./seal.ts";
import { setOfShape, shapeOfSet } from "./set-shape.ts";

/**
 * A set as bytes:
 *
 * | Bytes | |
 * | --- | --- |
 * | 2 | `PS` |
 * | 1 | schema, `1` |
 * | 1 | `-`, or `z` where the payload is deflated |
 * | 16 | generation, decimal digits, so that a script can read it |
 * | 16 | when the set is known to have been true, by the server's clock, in ms; decimal digits |
 * | … | payload: the set's shape as JSON |
 * | 16 | seal over the key's name and all of the above |
 */
export const setLayout = { generationAt: 4, digits: 16, header: 36 } as const;

/** The schema of keys and values; another one is another world. */
export const SCHEMA = "1";

const MAGIC = "PS";
/** Below it, the time to deflate is worth more than the bytes that it saves. */
const DEFLATE_ABOVE_BYTES = 512;
/** What JSON of permission sets inflates to, with room: a bomb is cut off. */
const INFLATION_MAX = 32;

/** A set, and when it was known to be true by the server's clock. */
export interface StoredSet {
  readonly set: PermissionSet;
  readonly knownAtRedisMs: number;
}

/** Why bytes are no set that may be used. */
export type BrokenSet =
  | "truncated"
  | "too-large"
  | "foreign"
  | "newer-schema"
  | "tampered"
  | "corrupt"
  | "other-key";

/** Where a value is kept, and how it is sealed. */
export interface SetPlace {
  /** Name of the Redis key. */
  readonly name: string;
  readonly key: SetKey;
  readonly seal: Seal;
  readonly bytesMax: number;
}

/** The set's bytes for this place; `undefined` if they are more than may be stored. */
export function encodeSet({ set, knownAtRedisMs }: StoredSet, place: SetPlace): Buffer | undefined {
  const json = Buffer.from(JSON.stringify(shapeOfSet(set)));
  const deflated = json.length > DEFLATE_ABOVE_BYTES ? deflateRawSync(json) : json;
  const isDeflated = deflated.length < json.length && json.length <= inflatedMax(place);
  const payload = isDeflated ? deflated : json;
  const header =
    MAGIC + SCHEMA + (isDeflated ? "z" : "-") + digits(set.generation) + digits(knownAtRedisMs);
  const content = Buffer.concat([Buffer.from(header, "latin1"), payload]);
  if (content.length + SEAL_BYTES > place.bytesMax) return undefined;
  return Buffer.concat([content, place.seal.of(place.name, content)]);
}

/** The set that these bytes are, if they are what was stored in this place; otherwise why not. */
export function decodeSet(bytes: Buffer, place: SetPlace): StoredSet | BrokenSet {
  if (bytes.length > place.bytesMax) return "too-large";
  const { header, generationAt } = setLayout;
  const magic = bytes.toString("latin1", 0, MAGIC.length);
  if (magic !== MAGIC.slice(0, magic.length)) return "foreign";
  if (bytes.length < header + SEAL_BYTES) return "truncated";
  const schema = bytes.toString("latin1", 2, 3);
  if (schema !== SCHEMA) return /[2-9A-Za-z]/.test(schema) ? "newer-schema" : "foreign";
  const content = bytes.subarray(0, bytes.length - SEAL_BYTES);
  const seal = bytes.subarray(bytes.length - SEAL_BYTES);
  if (!place.seal.fits(seal, place.name, content)) return "tampered";
  const generation = number(bytes, generationAt);
  const knownAtRedisMs = number(bytes, generationAt + setLayout.digits);
  if (generation === undefined || knownAtRedisMs === undefined) return "corrupt";
  const set = readPayload(content, generation, place);
  if (set === undefined) return "corrupt";
  const { application, subjectId } = place.key;
  if (set.application !== application || set.subject.id !== subjectId) return "other-key";
  return { set, knownAtRedisMs };
}

function readPayload(
  content: Buffer,
  generation: number,
  place: SetPlace,
): PermissionSet | undefined {
  const flag = content.toString("latin1", 3, 4);
  if (flag !== "z" && flag !== "-") return undefined;
  const payload = content.subarray(setLayout.header);
  const maxOutputLength = inflatedMax(place);
  try {
    const json = flag === "z" ? inflateRawSync(payload, { maxOutputLength }) : payload;
    return setOfShape(JSON.parse(json.toString()), generation);
  } catch {
    // Not deflated, no JSON, not the shape: no difference to whoever asks.
    return undefined;
  }
}

function inflatedMax(place: SetPlace): number {
  return INFLATION_MAX * place.bytesMax;
}

function digits(value: number): string {
  return String(Math.floor(value)).padStart(setLayout.digits, "0");
}

function number(bytes: Buffer, at: number): number | undefined {
  const text = bytes.toString("latin1", at, at + setLayout.digits);
  if (!/^[0-9]{16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
