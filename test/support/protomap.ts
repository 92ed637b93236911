import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { JsonValue } from "../../src/decision/json.ts";

/**
 * A message as OPA's Envoy plugin shows it to policies: JSON names, without what is not set, enums as
 * numbers, bytes as base64, a `Struct` as what it stands for. Uses the generated code's reflection.
 */
export function protomap(schema: DescMessage, message: Message): JsonValue {
  return objectOf(reflect(schema, message));
}

function objectOf(message: ReflectMessage): JsonValue {
  if (message.desc.typeName === "google.protobuf.Struct") return structOf(message);
  const object: Record<string, JsonValue> = {};
  for (const field of message.fields) {
    if (message.isSet(field)) object[field.jsonName] = fieldOf(message, field);
  }
  return object;
}

function fieldOf(message: ReflectMessage, field: DescField): JsonValue {
  const value: unknown = message.get(field);
  switch (field.fieldKind) {
    case "message":
      return objectOf(value as ReflectMessage);
    case "list":
      return [...(value as Iterable<unknown>)].map((item) => objectOf(item as ReflectMessage));
    case "map": {
      const entries = [...(value as Iterable<[string, unknown]>)];
      const isMessage = field.mapKind === "message";
      return Object.fromEntries(
        entries.map(([key, item]) => [
          key,
          isMessage ? objectOf(item as ReflectMessage) : (item as string),
        ]),
      );
    }
    case "enum":
      return value as number;
    case "scalar":
      return field.scalar === ScalarType.BYTES
        ? Buffer.from(value as Uint8Array).toString("base64")
        : typeof value === "bigint"
          ? Number(value)
          : (value as string | number | boolean);
  }
}

function structOf(message: ReflectMessage): JsonValue {
  const fields = message.desc.field["fields"]!;
  const entries = [...(message.get(fields) as unknown as Iterable<[string, ReflectMessage]>)];
  return Object.fromEntries(entries.map(([key, value]) => [key, kindOf(value)]));
}

function kindOf(value: ReflectMessage): JsonValue {
  const field = value.oneofCase(value.desc.oneofs[0]!)!;
  const content: unknown = value.get(field);
  if (field.name === "null_value") return null;
  if (field.name === "struct_value") return structOf(content as ReflectMessage);
  if (field.name !== "list_value") return content as JsonValue;
  const values = (content as ReflectMessage).get((content as ReflectMessage).desc.field["values"]!);
  return [...(values as unknown as Iterable<ReflectMessage>)].map(kindOf);
}
