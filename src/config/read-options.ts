import { Value } from "typebox/value";
import { isMap, isScalar, isSeq, type LineCounter, type Node, type YAMLMap } from "yaml";
import { nearest } from "../base/nearest.ts";
import type { ConfigProblem } from "./config-error.ts";
import type { Override } from "./environment.ts";
import { expectation, isOptional, type OptionSchema, shapeOf, snakeCase } from "./option-schema.ts";

const SHOWN_MAX = 64;
const DEPTH_MAX = 16;

/** Where a value comes from: `default`, `file:line`, or the environment variable. */
export type Origins = ReadonlyMap<string, string>;

/** What reading needs besides schema and document. */
export interface ReadInput {
  readonly fileName: string;
  readonly lines: LineCounter;
  readonly root: Node | null;
  readonly overrides: ReadonlyMap<string, Override>;
}

/** What was read; `value` is to be used only if there are no problems. */
export interface Reading {
  readonly value: unknown;
  readonly origins: Origins;
  readonly problems: readonly ConfigProblem[];
}

/** Reads options by their schema: maps keys, fills defaults, applies overrides, finds mistakes. */
export function readOptions(schema: OptionSchema, input: ReadInput): Reading {
  const reader = new OptionsReader(input);
  const source = input.root === null ? undefined : { node: input.root };
  const value = reader.read(schema, { path: "", at: input.fileName, source });
  return { value, origins: reader.origins, problems: reader.problems };
}

/** A value as the operator wrote it, or a default, in the form that the schema has. */
type Source = { readonly node: Node } | { readonly fallback: unknown };

interface Place {
  readonly path: string;
  /** Where to point if there is nothing to point at. */
  readonly at: string;
  readonly source: Source | undefined;
  /** Keys of the mapping around this one. */
  readonly outerKeys?: readonly string[];
}

class OptionsReader {
  readonly #input: ReadInput;
  readonly origins = new Map<string, string>();
  readonly problems: ConfigProblem[] = [];

  constructor(input: ReadInput) {
    this.#input = input;
  }

  read(schema: OptionSchema, place: Place): unknown {
    if (place.path.split(/[.[]/).length > DEPTH_MAX)
      return this.#wrong(place, "is nested too deep");
    const shape = shapeOf(schema);
    switch (shape.kind) {
      case "options":
        return this.#readObject(schema, shape.properties, place);
      case "record":
        return this.#readRecord(schema, shape, place);
      case "list":
        return this.#readList(schema, shape.item, place);
      case "alternatives":
        return this.#readAlternatives(schema, shape.branches, place);
      case "scalar":
        return this.#readScalar(schema, place);
    }
  }

  #readObject(
    schema: OptionSchema,
    properties: Readonly<Record<string, OptionSchema>>,
    place: Place,
  ): unknown {
    const given = this.#membersOf(schema, place);
    if (given === undefined) return undefined;
    const names = new Map(Object.keys(properties).map((name) => [snakeCase(name), name]));
    for (const [key, { keyPlace }] of given.members) {
      if (given.form === "file" && !names.has(key)) {
        this.#unknownKey(key, keyPlace, names.keys());
      }
    }
    const value: Record<string, unknown> = Object.create(null);
    for (const [key, name] of names) {
      const property = properties[name]!;
      const member = given.members.get(given.form === "file" ? key : name);
      const path = place.path === "" ? key : `${place.path}.${key}`;
      const found = this.#find(property, { path, at: place.at, source: member?.source });
      if (found.source !== undefined || property.properties !== undefined) {
        if (isOptional(schema, name) && found.source === undefined && !this.#isOverridden(path)) {
          continue;
        }
        value[name] = this.read(property, { ...found, outerKeys: [...names.keys()] });
      } else if (!isOptional(schema, name)) this.#wrong(found, "is required", property);
    }
    return value;
  }

  /** An environment variable comes before the file, and the file before the default. */
  #find(schema: OptionSchema, place: Place): Place {
    const override = this.#input.overrides.get(place.path);
    if (override !== undefined) {
      return { path: place.path, at: override.variable, source: { node: override.node } };
    }
    if (place.source !== undefined || schema.default === undefined) return place;
    return { ...place, source: { fallback: schema.default } };
  }

  #isOverridden(path: string): boolean {
    return [...this.#input.overrides.keys()].some((other) => other.startsWith(`${path}.`));
  }

  #readRecord(
    schema: OptionSchema,
    shape: { readonly keyPattern: string; readonly value: OptionSchema },
    place: Place,
  ): unknown {
    const given = this.#membersOf(schema, place);
    if (given === undefined) return undefined;
    this.origins.set(place.path, this.#origin(place));
    const pattern = new RegExp(shape.keyPattern, "u");
    const value: Record<string, unknown> = Object.create(null);
    for (const [key, { source, keyPlace }] of given.members) {
      if (!pattern.test(key)) {
        const expected = `expected a key that matches ${shape.keyPattern}`;
        this.#wrong(
          { ...keyPlace, path: place.path },
          `the key ${show(key)} is not valid; ${expected}`,
        );
        continue;
      }
      value[key] = this.read(shape.value, { path: `${place.path}.${key}`, at: place.at, source });
    }
    return value;
  }

  #readList(schema: OptionSchema, item: OptionSchema, place: Place): unknown {
    const sources = this.#itemsOf(place);
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
    if (sources === undefined || sources.length < minItems || sources.length > maxItems) {
      return this.#wrong(place, "is not valid", schema);
    }
    this.origins.set(place.path, this.#origin(place));
    return sources.map((source, index) =>
      this.read(item, { path: `${place.path}[${index}]`, at: place.at, source }),
    );
  }

  /** The first branch that fits. */
  #readAlternatives(
    schema: OptionSchema,
    branches: readonly OptionSchema[],
    place: Place,
  ): unknown {
    for (const branch of branches) {
      const attempt = new OptionsReader(this.#input);
      const value = attempt.read(branch, place);
      if (attempt.problems.length > 0) continue;
      for (const [path, origin] of attempt.origins) this.origins.set(path, origin);
      return value;
    }
    return this.#wrong(place, "is not valid", schema);
  }

  #readScalar(schema: OptionSchema, place: Place): unknown {
    const value = scalarOf(place.source);
    if (!Value.Check(schema, value)) return this.#wrong(place, "is not valid", schema);
    this.origins.set(place.path, this.#origin(place));
    return value;
  }

  #membersOf(schema: OptionSchema, place: Place): Members | undefined {
    const { source } = place;
    if (source === undefined) return { form: "schema", members: new Map() };
    if ("fallback" in source) {
      const entries = Object.entries(source.fallback as object);
      const members = entries.map(
        ([key, fallback]) => [key, { source: { fallback }, keyPlace: place }] as const,
      );
      return { form: "schema", members: new Map(members) };
    }
    // A section whose options are all commented out.
    if (isScalar(source.node) && source.node.value === null) {
      return { form: "file", members: new Map() };
    }
    if (isMap(source.node)) return { form: "file", members: this.#pairsOf(source.node, place) };
    this.#wrong(place, "is not valid", schema);
    return undefined;
  }

  #pairsOf(map: YAMLMap, place: Place): Map<string, Member> {
    const members = new Map<string, Member>();
    for (const { key, value } of map.items) {
      const keyPlace: Place = { ...place, source: { node: key as Node } };
      if (!isScalar(key) || typeof key.value !== "string") {
        this.#wrong(keyPlace, "is not valid as a key", { type: "string" });
        continue;
      }
      if (members.has(key.value))
        this.#wrong(keyPlace, `the key ${show(key.value)} is given twice`);
      members.set(key.value, { keyPlace, source: nodeSource(value) });
    }
    return members;
  }

  #itemsOf({ source }: Place): Source[] | undefined {
    if (source === undefined) return undefined;
    if ("fallback" in source) {
      return (source.fallback as unknown[]).map((fallback) => ({ fallback }));
    }
    if (!isSeq(source.node)) return undefined;
    return source.node.items.map((node) => ({ node: node as Node }));
  }

  #unknownKey(key: string, keyPlace: Place, keys: Iterable<string>): void {
    const known = [...keys];
    const near = nearest(key, known);
    const isOneUp = keyPlace.outerKeys?.includes(key) === true;
    const alternative = isOneUp ? "it belongs one level up" : `expected one of ${known.join(", ")}`;
    const hint = near === undefined ? alternative : `did you mean ${near}?`;
    this.#wrong(keyPlace, `there is no option ${show(key)} here; ${hint}`);
  }

  /** Notes a problem; gives nothing, which is what stands in the place of the value. */
  #wrong(place: Place, message: string, schema?: OptionSchema): undefined {
    const { source } = place;
    const isGiven = schema !== undefined && source !== undefined && "node" in source;
    const shown = isGiven ? `${schema.secret ? "the value" : showNode(source.node)} ` : "";
    const expected = schema === undefined ? "" : `; expected ${expectation(schema)}`;
    this.problems.push({
      at: this.#pointAt(place),
      path: place.path,
      message: `${shown}${message}${expected}`,
    });
  }

  #origin(place: Place): string {
    if (place.source === undefined || "fallback" in place.source) return "default";
    return this.#pointAt(place).replace(/:\d+$/, "");
  }

  #pointAt({ at, source }: Place): string {
    const isOverride = at !== this.#input.fileName;
    const range = source !== undefined && "node" in source ? source.node.range : undefined;
    if (isOverride || range === undefined || range === null) return at;
    const { line, col } = this.#input.lines.linePos(range[0]);
    return `${at}:${line}:${col}`;
  }
}

interface Member {
  readonly source: Source | undefined;
  readonly keyPlace: Place;
}

interface Members {
  /** Whether keys are as in files or as in the schema. */
  readonly form: "file" | "schema";
  readonly members: ReadonlyMap<string, Member>;
}

function scalarOf(source: Source | undefined): unknown {
  if (source === undefined) return undefined;
  if ("fallback" in source) return source.fallback;
  return isScalar(source.node) ? source.node.value : undefined;
}

function nodeSource(value: unknown): Source | undefined {
  return value === null || value === undefined ? undefined : { node: value as Node };
}

function showNode(node: Node): string {
  if (isMap(node)) return "a mapping";
  if (isSeq(node)) return "a list";
  return isScalar(node) ? show(node.value) : "an alias";
}

function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
