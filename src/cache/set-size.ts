import type { JsonValue } from "../decision/json.ts";
import type { PermissionSet } from "../decision/permission-set.ts";

// Measured on Node 26 with 64-bit pointers uncompressed: a small object with its property slots,
// and a sequential string's header with its place in an array.
const OBJECT_BYTES = 80;
const STRING_BYTES = 32;

/**
 * About how many bytes of heap a set takes: within a factor of two, which is enough for a bound.
 * Strings count one byte per code unit, as V8 keeps Latin-1.
 */
export function approximateSetBytes(set: PermissionSet): number {
  let bytes = 2 * OBJECT_BYTES + stringBytes(set.subject.id) + stringBytes(set.application);
  bytes += valueBytes(set.attributes) + stringsBytes(set.groups);
  for (const { conditions, grants } of set.classes) {
    bytes += 2 * OBJECT_BYTES;
    for (const whitelist of conditions.ipWhitelists) bytes += stringsBytes(whitelist);
    for (const values of Object.values(conditions.scope ?? {})) bytes += stringsBytes(values);
    for (const grant of grants) {
      bytes += OBJECT_BYTES + stringsBytes(grant.path) + stringsBytes(grant.patterns);
      bytes += valueBytes(grant.limits);
    }
  }
  return bytes;
}

function stringBytes(text: string): number {
  return STRING_BYTES + text.length;
}

function stringsBytes(texts: readonly string[]): number {
  let bytes = OBJECT_BYTES;
  for (const text of texts) bytes += stringBytes(text);
  return bytes;
}

function valueBytes(value: JsonValue): number {
  if (typeof value === "string") return stringBytes(value);
  if (value === null || typeof value !== "object") return STRING_BYTES;
  let bytes = OBJECT_BYTES;
  for (const [name, member] of Object.entries(value))
    bytes += stringBytes(name) + valueBytes(member);
  return bytes;
}
