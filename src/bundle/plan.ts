import { readJson } from "../base/read-json.ts";
import { isObject, type ParsedObject } from "./json-text.ts";

/** A policy as OPA compiles it, before WebAssembly is made of it. */
export interface Plan {
  readonly strings: readonly string[];
  readonly builtins: ReadonlySet<string>;
  /** One per entrypoint. */
  readonly entries: readonly PlannedCode[];
  /** By the name that a `CallStmt` has for it. */
  readonly functions: ReadonlyMap<string, PlannedCode>;
}

/** An entrypoint, or a rule or function. */
export interface PlannedCode {
  readonly name: string;
  /** The locals of its arguments, the first two of which are `input` and `data`. */
  readonly params: readonly number[];
  /** How a `CallDynamicStmt` finds it; empty if none does. */
  readonly path: readonly string[];
  readonly blocks: readonly PlannedBlock[];
}

/** Statements in order; each may be undefined, which ends the block. */
export type PlannedBlock = readonly PlannedStatement[];

/** A statement with its own fields. */
export interface PlannedStatement {
  readonly kind: string;
  readonly fields: ParsedObject;
}

/** A local's number, or a constant: the text of a string, `undefined` for a boolean. */
export type Operand = { readonly local: number } | { readonly constant: string | undefined };

/** The plan isn't what OPA is known to write. */
export class UnknownPlan extends Error {}

/** Reads `plan.json` of `opa build --target plan`. Throws `UnknownPlan`. */
export function readPlan(text: string): Plan {
  const plan = objectOf(parse(text));
  const fixed = objectOf(plan["static"]);
  const functions = listOf(objectOf(plan["funcs"])["funcs"]).map(codeOf);
  const byName = new Map(functions.map((code) => [code.name, code]));
  if (byName.size < functions.length) throw new UnknownPlan("two functions of one name");
  return {
    strings: listOf(fixed["strings"]).map((item) => stringOf(objectOf(item)["value"])),
    builtins: new Set(
      listOf(fixed["builtin_funcs"]).map((item) => stringOf(objectOf(item)["name"])),
    ),
    entries: listOf(objectOf(plan["plans"])["plans"]).map(codeOf),
    functions: byName,
  };
}

/** The blocks of a field that has several, or the only one. Throws `UnknownPlan`. */
export function blocksOf(value: unknown): readonly PlannedBlock[] {
  return Array.isArray(value) ? value.map(blockOf) : [blockOf(value)];
}

/** Throws `UnknownPlan` for anything but a local or a constant. */
export function operandOf(value: unknown, plan: Plan): Operand {
  if (typeof value === "number") return { local: value };
  const operand = objectOf(value);
  switch (operand["type"]) {
    case "local":
      return { local: numberOf(operand["value"]) };
    case "string_index":
      return { constant: stringOf(plan.strings[numberOf(operand["value"])]) };
    case "bool":
      return { constant: undefined };
    default:
      throw new UnknownPlan("an operand of another type");
  }
}

/** Go writes an empty list as `null`. Throws `UnknownPlan`. */
export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new UnknownPlan("not a list");
  return value;
}

/** Throws `UnknownPlan`. */
export function numberOf(value: unknown): number {
  if (typeof value !== "number") throw new UnknownPlan("not a number");
  return value;
}

/** Throws `UnknownPlan`. */
export function stringOf(value: unknown): string {
  if (typeof value !== "string") throw new UnknownPlan("not a string");
  return value;
}

function codeOf(value: unknown): PlannedCode {
  const code = objectOf(value);
  return {
    name: stringOf(code["name"]),
    params: listOf(code["params"]).map(numberOf),
    path: listOf(code["path"]).map(stringOf),
    blocks: listOf(code["blocks"]).map(blockOf),
  };
}

function blockOf(value: unknown): PlannedBlock {
  return listOf(objectOf(value)["stmts"]).map((item) => {
    const { type, stmt } = objectOf(item);
    return { kind: stringOf(type), fields: objectOf(stmt) };
  });
}

function objectOf(value: unknown): ParsedObject {
  if (!isObject(value)) throw new UnknownPlan("not an object");
  return value;
}

function parse(text: string): unknown {
  try {
    return readJson(text);
  } catch (cause) {
    throw new UnknownPlan("not JSON", { cause });
  }
}
