import { isJsonList, type JsonObject, type JsonValue } from "../decision/json.ts";
import type { WireWriter } from "./wire-writer.ts";

/** Writes `object` as a `google.protobuf.Struct` in `field`; nothing if it has no members. */
export function writeStruct(writer: WireWriter, field: number, object: JsonObject): void {
  const names = Object.keys(object);
  if (names.length === 0) return;
  const start = writer.open(field);
  writeMembers(writer, object, names);
  writer.close(start);
}

/** `Struct { map<string, Value> fields = 1 }`, entries of `key = 1`, `value = 2`. */
function writeMembers(writer: WireWriter, object: JsonObject, names: readonly string[]): void {
  for (const name of names) {
    const entry = writer.open(1);
    writer.string(1, name);
    writeValue(writer, 2, object[name]!);
    writer.close(entry);
  }
}

/** `Value`, a oneof whose kind is written even where it is the default of its type. */
function writeValue(writer: WireWriter, field: number, value: JsonValue): void {
  const start = writer.open(field);
  if (value === null) writer.kind(1, 0);
  else if (typeof value === "number") writer.double(2, value);
  else if (typeof value === "string") writer.text(3, value);
  else if (typeof value === "boolean") writer.kind(4, value ? 1 : 0);
  else if (isJsonList(value)) writeList(writer, value);
  else {
    const nested = writer.open(5);
    writeMembers(writer, value, Object.keys(value));
    writer.close(nested);
  }
  writer.close(start);
}

function writeList(writer: WireWriter, list: readonly JsonValue[]): void {
  const start = writer.open(6);
  for (const value of list) writeValue(writer, 1, value);
  writer.close(start);
}
