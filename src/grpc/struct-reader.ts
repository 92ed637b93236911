import type { JsonObject, JsonValue } from "../decision/json.ts";
import type { WireReader } from "./wire-reader.ts";

/** Most objects and arrays one inside the other, the outermost one counted. */
export const JSON_DEPTH_MAX = 64;

/**
 * Reads the `google.protobuf.Struct` in field `name`. Refuses what JSON or the depth limit
 * excludes: NaN, infinities, a value of no kind or of two. Of a name given twice the last counts.
 */
export function readStruct(reader: WireReader, name: string): JsonObject {
  const outer = reader.enter(name);
  const object = readObject(reader, 1);
  reader.leave(outer);
  return object;
}

/** `Struct { map<string, Value> fields = 1 }`; the reader is inside. */
function readObject(reader: WireReader, depth: number): JsonObject {
  checkDepth(reader, depth);
  const object: Record<string, JsonValue> = Object.create(null);
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === 0x0a) readMember(reader, object, depth);
    else reader.skipUnknown(tag, 1);
  }
  return object;
}

/** A map entry: `key = 1`, `value = 2`. */
function readMember(reader: WireReader, object: Record<string, JsonValue>, depth: number): void {
  const outer = reader.open();
  const part = reader.path.push("") - 1;
  let key = "";
  let value: JsonValue | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        key = reader.string();
        reader.path[part] = key;
        break;
      case 0x12:
        reader.once(value);
        value = readValue(reader, depth);
        break;
      default:
        reader.skipUnknown(tag, 2);
    }
  }
  if (value === undefined) throw reader.fault("has no value");
  object[key] = value;
  reader.leave(outer);
}

/** `Value`, a oneof of six kinds; the reader is before its length. */
function readValue(reader: WireReader, depth: number): JsonValue {
  const outer = reader.open();
  let value: JsonValue | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 > 6) {
      reader.skip(tag);
      continue;
    }
    reader.once(value);
    value = readKind(reader, tag, depth);
  }
  if (value === undefined) throw reader.fault("has a value of no kind");
  reader.close(outer);
  return value;
}

function readKind(reader: WireReader, tag: number, depth: number): JsonValue {
  switch (tag) {
    case 0x08:
      reader.skipEnum();
      return null;
    case 0x11:
      return readNumber(reader);
    case 0x1a:
      return reader.string();
    case 0x20:
      return reader.bool();
    case 0x2a: {
      const outer = reader.open();
      const object = readObject(reader, depth + 1);
      reader.close(outer);
      return object;
    }
    case 0x32:
      return readList(reader, depth + 1);
    default:
      throw reader.fault("has a value of the wrong wire type");
  }
}

function readNumber(reader: WireReader): number {
  const number = reader.double();
  if (!Number.isFinite(number)) throw reader.fault("is NaN or infinite, which JSON has not");
  return number;
}

/** `ListValue { repeated Value values = 1 }`; the reader is before its length. */
function readList(reader: WireReader, depth: number): JsonValue {
  checkDepth(reader, depth);
  const outer = reader.open();
  const list: JsonValue[] = [];
  const part = reader.path.push(0) - 1;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === 0x0a) {
      reader.path[part] = list.length;
      list.push(readValue(reader, depth));
    } else reader.skipUnknown(tag, 1);
  }
  reader.leave(outer);
  return list;
}

function checkDepth(reader: WireReader, depth: number): void {
  if (depth > JSON_DEPTH_MAX) throw reader.fault(`is nested deeper than ${JSON_DEPTH_MAX}`);
}
