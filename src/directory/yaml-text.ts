import {
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
} from "yaml";
import { PdpError } from "../decision/error.ts";
import type { JsonValue } from "../decision/json.ts";
import type { DirectoryText } from "./directory.ts";
import { createProblems, type FieldPath, type Position, type Problems } from "./problems.ts";

const DEPTH_MAX = 32;

/** Instead of the parser's own texts, where those speak of its API. */
const expectations: Partial<Record<ErrorCode, string>> = {
  MULTIPLE_DOCS: "expected one document, not several",
  NON_STRING_KEY: "expected a text as key",
};

/** A parsed file, and where its mistakes are collected. */
export interface YamlText {
  /** Objects in it have a null prototype. */
  readonly value: JsonValue;
  readonly problems: Problems;
}

/**
 * Parses one YAML 1.2 document (JSON is one too). Text that is not YAML throws `PdpError`
 * `invalid-argument`. Aliases are refused: a few lines of them can stand for gigabytes; and tags:
 * what they make of a value is up to the parser.
 */
export function readYaml(file: DirectoryText): YamlText {
  const lines = new LineCounter();
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const document = parse(file, lines);
  const problems = createProblems(file.name, (path) => {
    const offset = document.contents === null ? 0 : offsetOf(document.contents, path);
    return place(offset);
  });
  if (document.directives?.yaml.version !== "1.2") {
    problems.addAt(place(Math.max(0, file.text.search(/^%YAML/m))), "expected YAML 1.2");
  }
  for (const error of [...document.errors, ...document.warnings]) {
    // The parser is recursive, and reports its overflowing stack once per level.
    if (error.message.includes("call stack")) throw tooDeep(file.name, error);
    // Tags are refused below, where the field is known.
    if (error.code === "TAG_RESOLVE_FAILED" && error.name === "YAMLWarning") continue;
    problems.addAt(place(error.pos[0]), expectations[error.code] ?? error.message);
  }
  problems.throwIfAny();
  const value = document.contents === null ? null : toValue(document.contents, []);
  problems.throwIfAny();
  return { value, problems };

  function toValue(node: Node, path: FieldPath): JsonValue {
    const refuse = (expected: string): null => refuseAt(node, path, expected);
    if (path.length > DEPTH_MAX) return refuse(`at most ${DEPTH_MAX} levels of nesting`);
    if (isAlias(node)) return refuse("a value written out; aliases are not supported");
    if (node.tag !== undefined) return refuse("a value without a tag");
    if (isScalar(node)) return toScalar(node.value, refuse);
    if (isSeq(node)) return node.items.map((item, i) => toValue(item as Node, [...path, i]));
    if (!isMap(node)) return refuse("a value that JSON has");
    const object = Object.create(null) as Record<string, JsonValue>;
    for (const { key, value } of node.items as Pair<Scalar<string>, Node | null>[]) {
      const name = key.value;
      const inner = [...path, name];
      if (Object.hasOwn(object, name)) refuseAt(key, inner, "each key once");
      if (!name.isWellFormed()) refuseAt(key, inner, "well-formed Unicode");
      object[name] = value === null ? null : toValue(value, inner);
    }
    return object;
  }

  function refuseAt(node: Node, path: FieldPath, expected: string): null {
    problems.addAt(place(node.range?.[0] ?? 0), `expected ${expected}`, path);
    return null;
  }
}

function toScalar(value: unknown, refuse: (expected: string) => null): JsonValue {
  if (typeof value === "number") {
    const exact = Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);
    return exact ? value : refuse("a finite number, whole ones below 2^53");
  }
  if (typeof value === "string") {
    return value.isWellFormed() ? value : refuse("well-formed Unicode");
  }
  if (value === null || typeof value === "boolean") return value;
  return refuse("a text, a number, true, false or null");
}

function parse(file: DirectoryText, lineCounter: LineCounter) {
  try {
    // Unique keys are checked while converting: the library's check is quadratic.
    return parseDocument(file.text, {
      lineCounter,
      prettyErrors: false,
      stringKeys: true,
      uniqueKeys: false,
      version: "1.2",
    });
  } catch (error) {
    throw tooDeep(file.name, error);
  }
}

function tooDeep(name: string, cause: unknown): PdpError {
  return new PdpError("invalid-argument", `${name}: nested too deeply to be read`, { cause });
}

/** Where the value at `path` begins; of a path that leads nowhere, its last step that exists. */
function offsetOf(contents: Node, path: FieldPath): number {
  let node: Node = contents;
  for (const step of path) {
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
      next = pair?.value ?? pair?.key;
    } else if (isSeq(node)) {
      next = node.items[step as number];
    }
    if (next === undefined || next === null || isAlias(next)) break;
    node = next as Node;
  }
  return node.range?.[0] ?? 0;
}
