/**
 * Reads protobuf messages as objects with the fields' JSON names, from tables that say what the fields
 * are. As in opa-envoy-plugin, a field at its default is absent, an enum is its number, and bytes are
 * base64. A field that is given twice is refused: merging would let one half hide the other.
 */
import type { DocumentParts } from "../../decision/document-parts.ts";
import { Members } from "../../decision/json.ts";
import type { InputValue } from "../../pipeline/pipeline.ts";
import { readStruct } from "../struct-reader.ts";
import type { WireReader } from "../wire-reader.ts";

/** An object under construction, which inherits nothing. */
type InputObject = { [name: string]: InputValue };

/** Reads the value of a field; the reader is behind its tag. */
type ReadValue = (reader: WireReader, name: string) => InputValue;

/** A field of a message. */
export interface Field {
  /** Its JSON name. */
  readonly name: string;
  readonly wireType: 0 | 2;
  readonly read: ReadValue;
  /** What is left out, since it is the same as nothing; `undefined` = nothing is. */
  readonly absent?: InputValue;
  readonly holds: "one" | "list" | "map";
  /** Of a message that is no list's element. */
  readonly fields?: Fields;
  /** Of a map: the keys that are taken; `undefined` = all. */
  readonly keys?: Keys;
}

interface Keys {
  readonly names: ReadonlySet<string>;
  /** In UTF-8, so that most of the others need not be read to be told apart. */
  readonly byteLengths: ReadonlySet<number>;
}

/** The fields of a message by number; fields that are not there are skipped. */
export type Fields = Readonly<Record<number, Field>>;

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** A string. */
export function text(name: string): Field {
  return { name, wireType: LENGTH_DELIMITED, read: readText, absent: "", holds: "one" };
}

/** An int32, int64, uint32 or enum. */
export function integer(name: string): Field {
  return { name, wireType: VARINT, read: readInteger, absent: 0, holds: "one" };
}

/** A bool. */
export function flag(name: string): Field {
  return { name, wireType: VARINT, read: readFlag, absent: false, holds: "one" };
}

/** Bytes, as base64. */
export function bytes(name: string): Field {
  return { name, wireType: LENGTH_DELIMITED, read: readBytes, absent: "", holds: "one" };
}

/** The same field where it is one kind of a oneof, and so says something even at its default. */
export function kindOf({ absent: _, ...field }: Field): Field {
  return field;
}

/** A message. */
export function message(name: string, fields: Fields): Field {
  return { name, wireType: LENGTH_DELIMITED, read: readNested(fields), holds: "one", fields };
}

/** A `google.protobuf.Struct`. */
export function struct(name: string): Field {
  return { name, wireType: LENGTH_DELIMITED, read: readStruct, holds: "one" };
}

/** A list of messages. */
export function list(name: string, fields: Fields): Field {
  return { ...message(name, fields), holds: "list" };
}

/** A map from strings to what `value` reads; of a key that is given twice, the last value counts. */
export function map(name: string, value: Field): Field {
  return { ...value, name, holds: "map" };
}

/** The fields that are among the parts, of messages and maps within them these parts alone. */
export function pickFields(fields: Fields, parts: DocumentParts): Fields {
  if (parts === "all") return fields;
  const picked: Record<string, Field> = {};
  for (const [number, field] of Object.entries(fields)) {
    const part = parts.get(field.name);
    if (part !== undefined) picked[number] = pickWithin(field, part);
  }
  return picked;
}

function pickWithin(field: Field, parts: DocumentParts): Field {
  if (parts === "all" || field.holds === "list") return field;
  if (field.holds === "map") return { ...field, keys: keysOf([...parts.keys()]) };
  if (field.fields === undefined) return field;
  return message(field.name, pickFields(field.fields, parts));
}

function keysOf(names: readonly string[]): Keys {
  const byteLengths = names.map((name) => Buffer.byteLength(name));
  return { names: new Set(names), byteLengths: new Set(byteLengths) };
}

/** Reads the message that the reader is in. */
export function readFields(reader: WireReader, fields: Fields): InputObject {
  const object = new Members<InputValue>();
  while (reader.more()) {
    const tag = reader.tag();
    const field = fields[tag >>> 3];
    if (field === undefined) reader.skip(tag);
    else readField(reader, tag, { field, object });
  }
  return object;
}

function readField(
  reader: WireReader,
  tag: number,
  { field, object }: { readonly field: Field; readonly object: InputObject },
): void {
  const { name, wireType, holds } = field;
  if ((tag & 7) !== wireType) throw reader.fault("has the wrong wire type", name);
  if (holds === "map") {
    object[name] ??= field.keys === undefined ? Object.create(null) : new Members<InputValue>();
    readEntry(reader, field, object[name] as InputObject);
    return;
  }
  if (holds === "list") {
    object[name] ??= [];
    (object[name] as InputValue[]).push(field.read(reader, name));
    return;
  }
  reader.once(object[name], name);
  const value = field.read(reader, name);
  if (value !== field.absent) object[name] = value;
}

/** The tags of an entry's fields. */
const KEY = 0x0a;
const VALUE = 0x12;

/** A map's entry, `key = 1`, `value = 2`; either may be left out, or come first. */
function readEntry(reader: WireReader, field: Field, object: InputObject): void {
  const { name, read, absent, keys } = field;
  const outer = reader.enter(name);
  let key: string | undefined = "";
  let valueAt = -1;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === KEY) key = readKey(reader, keys);
    else if (tag === VALUE) {
      valueAt = reader.position;
      reader.skip(tag);
    } else reader.skipUnknown(tag, 2);
  }
  if (key !== undefined && (keys === undefined || keys.names.has(key))) {
    const behind = reader.position;
    let value = absent;
    if (valueAt >= 0) {
      reader.position = valueAt;
      value = read(reader, key);
      reader.position = behind;
    }
    object[key] = value ?? (Object.create(null) as InputObject);
  }
  reader.leave(outer);
}

/** `undefined` for one that is not taken, as its length tells. */
function readKey(reader: WireReader, keys: Keys | undefined): string | undefined {
  if (keys === undefined || keys.byteLengths.has(reader.peekLength())) return reader.string();
  reader.skip(KEY);
  return undefined;
}

const readText: ReadValue = (reader, name) => reader.string(name);
const readInteger: ReadValue = (reader, name) => reader.integer(name);
const readFlag: ReadValue = (reader, name) => reader.bool(name);
const readBytes: ReadValue = (reader, name) => reader.bytes(name).toString("base64");

function readNested(fields: Fields): ReadValue {
  return (reader, name) => {
    const outer = reader.enter(name);
    const object = readFields(reader, fields);
    reader.leave(outer);
    return object;
  };
}
