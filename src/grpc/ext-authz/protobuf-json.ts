/** Protobuf JSON as policies see it: plain values, with numbers as other writers have them. */
import type {
  DescField,
  DescMessage,
  JsonValue as ProtobufJson,
  Registry,
} from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import type { JsonValue } from "../../decision/json.ts";
import { JSON_DEPTH_MAX } from "../struct-reader.ts";
import { malformed } from "./malformed.ts";

/**
 * What `toJson` makes of a message of the type, without prototypes, and with each `float` as the
 * shortest decimal that is read as the same one: 0.1, where its double is 0.10000000149011612. `types`
 * are those for `Any`. Throws `PdpError` `invalid-argument` where it is nested deeper than 64.
 */
export function plainProtobufJson(
  json: ProtobufJson,
  type: DescMessage,
  types: Registry,
): JsonValue {
  return plain(json, { shape: shapeOf(type), depth: 1, types });
}

/** Where floats are: by JSON name, those that are one, and the messages that may have some. */
interface Shape {
  readonly kind: "float" | "message" | "any" | "values";
  /** Of a message its fields', of a map all of its values'. */
  readonly member: (name: string) => Shape | undefined;
}

interface Place {
  /** Nothing to be mended below without one. */
  readonly shape: Shape | undefined;
  readonly depth: number;
  readonly types: Registry;
}

const FLOAT: Shape = { kind: "float", member: () => undefined };
const EMPTY: Shape = { kind: "message", member: () => undefined };
const shapes = new WeakMap<DescMessage, Shape>();

function shapeOf(type: DescMessage): Shape {
  let shape = shapes.get(type);
  if (shape !== undefined) return shape;
  const fields = new Map(type.fields.map((field) => [field.jsonName, field]));
  const members = new Map<string, Shape | undefined>();
  const member = (name: string): Shape | undefined => {
    if (!members.has(name)) {
      const field = fields.get(name);
      // Names of an Any's extra members and the like are not kept: a client could add without end.
      if (field === undefined) return undefined;
      members.set(name, shapeOfField(field));
    }
    return members.get(name);
  };
  if (type.typeName === "google.protobuf.FloatValue") shape = FLOAT;
  else if (type.typeName === "google.protobuf.Empty") shape = EMPTY;
  else shape = { kind: type.typeName === "google.protobuf.Any" ? "any" : "message", member };
  shapes.set(type, shape);
  return shape;
}

/** Types whose JSON has no members by their fields' names. */
const OPAQUE = new Set(["Struct", "Value", "ListValue"].map((name) => `google.protobuf.${name}`));

function shapeOfField(field: DescField): Shape | undefined {
  const { message } = field;
  let value: Shape | undefined;
  if (message !== undefined && !OPAQUE.has(message.typeName)) value = shapeOf(message);
  else if (field.scalar === ScalarType.FLOAT) value = FLOAT;
  if (field.fieldKind !== "map" || value === undefined) return value;
  return { kind: "values", member: () => value };
}

function plain(value: ProtobufJson, { shape, depth, types }: Place): JsonValue {
  if (typeof value === "number") return shape === FLOAT ? shortestFloat(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (depth > JSON_DEPTH_MAX) throw malformed("body", `is nested deeper than ${JSON_DEPTH_MAX}`);
  if (Array.isArray(value)) {
    const place = { shape, depth: depth + 1, types };
    return value.map((item) => plain(item, place));
  }
  const known = shape?.kind === "any" ? shapeOfAny(value["@type"], types) : shape;
  const object: { [name: string]: JsonValue } = Object.create(null);
  for (const [name, member] of Object.entries(value)) {
    object[name] = plain(member, { shape: known?.member(name), depth: depth + 1, types });
  }
  // An empty message has JSON of its own too, says protojson.
  if (shape?.kind === "any" && known === EMPTY) object["value"] = Object.create(null);
  return object;
}

/** The members of an Any are those of the message in it, or a `value` where that has JSON of its own. */
function shapeOfAny(url: ProtobufJson | undefined, types: Registry): Shape | undefined {
  const name = String(url);
  const type = types.getMessage(name.slice(name.lastIndexOf("/") + 1));
  if (type === undefined || OPAQUE.has(type.typeName)) return undefined;
  const shape = shapeOf(type);
  const isOfValue = shape.kind !== "message";
  return isOfValue
    ? { kind: "message", member: (of) => (of === "value" ? shape : undefined) }
    : shape;
}

/** Nine digits tell each float from its neighbours. */
const FLOAT_DIGITS_MAX = 9;

function shortestFloat(value: number): number {
  for (let digits = 1; digits < FLOAT_DIGITS_MAX; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  // A power of two has more room above than below, so that the nearest decimal may be the wrong one.
  const [coefficient, exponent] = value.toExponential(FLOAT_DIGITS_MAX - 2).split("e");
  const [whole, fraction] = (coefficient as string).split(".");
  const above = BigInt(`${whole}${fraction}`) + (value < 0 ? -1n : 1n);
  const short = Number(`${above}e${Number(exponent) - (FLOAT_DIGITS_MAX - 2)}`);
  return Math.fround(short) === value ? short : Number(value.toPrecision(FLOAT_DIGITS_MAX));
}
