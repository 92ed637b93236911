/**
 * Whether the bytes of a protobuf message say the same to every reader. protobuf-es reads a field by its
 * declared type, whatever its wire type, and past the end of a message within another; other readers
 * don't, so that an upstream might see what a policy doesn't. Not for what the values are.
 */
import { isUtf8 } from "node:buffer";
import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type Registry,
  ScalarType,
} from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { WIRE_DEPTH_MAX, WireCursor } from "./wire-cursor.ts";

/**
 * Throws an `Error` unless each reader of protobuf sees the same in the bytes: each field has the wire
 * type of its declaration and ends within its message, texts are UTF-8, closed enums have known values,
 * and a message that isn't repeated is given once. `types` are those for `Any`.
 */
export function assertWire(bytes: Uint8Array, type: DescMessage, types: Registry): void {
  const end = bytes.length;
  checkMessage(new WireCursor(bytes), shapeOf(type), { end, depth: 1, group: 0, types });
}

/** A message within the bytes; a group ends with a tag, another message at `end`. */
interface Span {
  readonly end: number;
  readonly depth: number;
  /** The tag that ends it; 0 for none. */
  readonly group: number;
  readonly types: Registry;
}

/** What is to be looked at in a field. */
interface FieldShape {
  readonly wireType: WireType;
  readonly isPackable: boolean;
  readonly isText: boolean;
  /** A text that is a path of field names; in JSON a comma stands between paths. */
  readonly isPath: boolean;
  /** Where other values than its own are kept apart. */
  readonly closedEnum: DescEnum | undefined;
  /** Of a message, also that of a map's entry. */
  readonly message: (() => MessageShape) | undefined;
  /** It is merged if it is given again. */
  readonly isMerged: boolean;
}

interface MessageShape {
  readonly fields: ReadonlyMap<number, FieldShape>;
  readonly isAny: boolean;
  /** The entry of a map whose value has no default: `google.protobuf.Value`. */
  readonly needsValue: boolean;
}

const shapes = new WeakMap<DescMessage, MessageShape>();

function shapeOf(type: DescMessage): MessageShape {
  let shape = shapes.get(type);
  if (shape === undefined) {
    const fields = new Map(type.fields.map((field) => [field.number, shapeOfField(field)]));
    const isAny = type.typeName === "google.protobuf.Any";
    shape = { fields, isAny, needsValue: false };
    shapes.set(type, shape);
  }
  return shape;
}

function shapeOfField(field: DescField): FieldShape {
  if (field.fieldKind === "map") {
    const value = shapeOfValue(field.mapKind === "message" ? undefined : field.scalar, field);
    const key = shapeOfValue(field.mapKey, { enum: undefined, message: undefined });
    const fields = new Map([
      [1, key],
      [2, value],
    ]);
    const needsValue = field.message?.typeName === "google.protobuf.Value";
    const entry: MessageShape = { fields, isAny: false, needsValue };
    return { ...LENGTH_DELIMITED, message: () => entry };
  }
  const shape = shapeOfValue(field.scalar, field);
  const isList = field.fieldKind === "list";
  const isGroup = field.message !== undefined && field.delimitedEncoding;
  return {
    ...shape,
    wireType: isGroup ? WireType.StartGroup : shape.wireType,
    isPackable: isList && shape.wireType !== WireType.LengthDelimited,
    isPath: field.parent?.typeName === "google.protobuf.FieldMask",
    isMerged: !isList && shape.isMerged,
  };
}

const LENGTH_DELIMITED = {
  wireType: WireType.LengthDelimited,
  isPackable: false,
  isText: false,
  isPath: false,
  closedEnum: undefined,
  message: undefined,
  isMerged: false,
} satisfies FieldShape;

function shapeOfValue(
  scalar: ScalarType | undefined,
  { enum: enumType, message }: Pick<DescField, "enum" | "message">,
): FieldShape {
  if (message !== undefined) {
    return { ...LENGTH_DELIMITED, message: () => shapeOf(message), isMerged: true };
  }
  const closedEnum = enumType?.open === false ? enumType : undefined;
  const wireType = wireTypeOf(scalar ?? ScalarType.INT32);
  return { ...LENGTH_DELIMITED, wireType, isText: scalar === ScalarType.STRING, closedEnum };
}

function wireTypeOf(scalar: ScalarType): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}

function checkMessage(cursor: WireCursor, shape: MessageShape, span: Span): void {
  const { end, depth, group } = span;
  if (depth > WIRE_DEPTH_MAX) throw new Error("nested too deep");
  const start = cursor.pos;
  let isEnded = group === 0;
  let merged: Set<number> | undefined;
  while (cursor.pos < end) {
    const tag = cursor.tag(end);
    if (tag === group) {
      isEnded = true;
      break;
    }
    const number = tag >>> 3;
    const field = shape.fields.get(number);
    if (field === undefined) {
      cursor.skip(tag, end, depth + 1);
      continue;
    }
    if (field.isMerged) {
      merged ??= new Set();
      if (merged.has(number)) throw new Error("message given twice");
      merged.add(number);
    }
    checkField(cursor, field, { span, tag });
  }
  if (!isEnded) throw new Error("group without an end");
  if (shape.needsValue && !merged?.has(2)) throw new Error("map entry without a value");
  if (shape.isAny) checkAny(cursor.bytes.subarray(start, cursor.pos), span);
}

/** Behind a tag, in a message. */
interface FieldPlace {
  readonly span: Span;
  readonly tag: number;
}

function checkField(cursor: WireCursor, field: FieldShape, { span, tag }: FieldPlace): void {
  const { end, depth, types } = span;
  const wireType = tag & 7;
  if (wireType !== field.wireType) {
    if (!field.isPackable || wireType !== WireType.LengthDelimited) {
      throw new Error("wire type of another field");
    }
    const until = cursor.until(end);
    while (cursor.pos < until) checkValue(cursor, field, until);
    return;
  }
  if (field.message === undefined) {
    checkValue(cursor, field, end);
    return;
  }
  const isGroup = wireType === WireType.StartGroup;
  const group = isGroup ? tag - WireType.StartGroup + WireType.EndGroup : 0;
  const until = isGroup ? end : cursor.until(end);
  checkMessage(cursor, field.message(), { end: until, depth: depth + 1, group, types });
}

function checkValue(cursor: WireCursor, field: FieldShape, end: number): void {
  switch (field.wireType) {
    case WireType.Varint: {
      const value = cursor.varint(end);
      const { closedEnum } = field;
      if (closedEnum !== undefined && closedEnum.value[value] === undefined) {
        throw new Error("value that its enum has not");
      }
      return;
    }
    case WireType.LengthDelimited: {
      const until = cursor.until(end);
      if (field.isText && (field.isPath || !isAscii(cursor, until))) {
        checkText(cursor.bytes.subarray(cursor.pos, until), field);
      }
      cursor.pos = until;
      return;
    }
    default:
      cursor.move(field.wireType === WireType.Bit64 ? 8 : 4, end);
  }
}

/** Cheaper for a short text than to take the bytes out. */
function isAscii({ bytes, pos }: WireCursor, until: number): boolean {
  for (let at = pos; at < until; at++) if ((bytes[at] as number) > 0x7f) return false;
  return true;
}

const PATH = /^[a-z_]\w*(\.[a-z_]\w*)*$/i;

function checkText(bytes: Uint8Array, { isPath }: FieldShape): void {
  if (!isUtf8(bytes)) throw new Error("text that is not UTF-8");
  if (isPath && !PATH.test(Buffer.from(bytes).toString())) throw new Error("path of no field");
}

/** Its fields are known to be well-formed; what it holds is another message. */
function checkAny(bytes: Uint8Array, { depth, types }: Span): void {
  const cursor = new WireCursor(bytes);
  let url = "";
  let value = new Uint8Array();
  while (cursor.pos < bytes.length) {
    const tag = cursor.tag(bytes.length);
    if ((tag & 7) === WireType.EndGroup) break;
    const start = cursor.pos;
    cursor.skip(tag, bytes.length, depth);
    if (tag >>> 3 > 2) continue;
    const content = new WireCursor(bytes.subarray(start, cursor.pos));
    content.until(content.bytes.length);
    const given = content.bytes.subarray(content.pos);
    if (tag >>> 3 === 1) url = Buffer.from(given).toString();
    else value = new Uint8Array(given);
  }
  const type = types.getMessage(url.slice(url.lastIndexOf("/") + 1));
  if (type === undefined) {
    if (url !== "" || value.length > 0) throw new Error("Any of an unknown type");
    return;
  }
  const end = value.length;
  checkMessage(new WireCursor(value), shapeOf(type), { end, depth: depth + 1, group: 0, types });
}
