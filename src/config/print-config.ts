import { Document, isMap, isScalar, type Node, Scalar, YAMLMap } from "yaml";
import { maskUrlPassword } from "../base/url-password.ts";
import { configSchema } from "./config.ts";
import type { LoadedConfig } from "./load-config.ts";
import { type OptionSchema, shapeOf, snakeCase } from "./option-schema.ts";

const REDACTED = "<redacted>";

/** The effective configuration as YAML, each value with where it comes from; no secrets. */
export function printConfig(loaded: LoadedConfig): string {
  const document = new Document({});
  document.contents = toNode(document, configSchema, {
    path: "",
    value: loaded.config,
    origins: loaded.origins,
  }) as typeof document.contents;
  return document.toString({ lineWidth: 0 });
}

interface Printed {
  readonly path: string;
  readonly value: unknown;
  readonly origins: LoadedConfig["origins"];
}

function toNode(document: Document, schema: OptionSchema, printed: Printed): Node {
  const { path, value, origins } = printed;
  const shape = shapeOf(schema);
  if (schema.secret !== undefined && schema.secret !== false) {
    const shown = schema.secret === true ? REDACTED : maskUrlPassword(String(value));
    return withComment(new Scalar(shown), origins.get(path));
  }
  if (shape.kind !== "options" && shape.kind !== "record") {
    const node = document.createNode(value, { flow: true });
    return withComment(node, origins.get(path));
  }
  const map = new YAMLMap();
  for (const [name, member] of Object.entries(value as object)) {
    const isOption = shape.kind === "options";
    const key = isOption ? snakeCase(name) : name;
    const memberSchema = isOption ? shape.properties[name]! : shape.value;
    const memberPath = path === "" ? key : `${path}.${key}`;
    map.set(key, toNode(document, memberSchema, { path: memberPath, value: member, origins }));
  }
  if (map.items.length > 0) return map;
  map.flow = true;
  return withComment(map, origins.get(path));
}

function withComment(node: Node, origin: string | undefined): Node {
  if (origin !== undefined && (isScalar(node) || !isMap(node) || node.flow === true)) {
    node.comment = ` ${origin}`;
  }
  return node;
}
