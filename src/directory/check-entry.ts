import type { Static, TSchema } from "typebox";
import { Check, Errors } from "typebox/value";
import { suggestion } from "../base/nearest.ts";
import { type FieldPath, type Problems, quote } from "./problems.ts";

/** What is read of a JSON schema to explain an error. */
interface SchemaView {
  readonly properties?: Readonly<Record<string, SchemaView>>;
  readonly [keyword: string]: unknown;
}

/**
 * Whether `value` has the form of `schema`; what is wrong with it goes to `problems`, one mistake
 * per field, with the nearest valid key for an unknown one.
 */
export function checkEntry<S extends TSchema>(
  schema: S,
  value: unknown,
  at: { readonly path: FieldPath; readonly problems: Problems },
): value is Static<S> {
  if (Check(schema, value)) return true;
  const told = new Set<string>();
  for (const error of Errors(schema, value)) {
    // `false` schemas and `anyOf` repeat what `additionalProperties` and the branches say.
    if (error.keyword === "boolean") continue;
    const path = [...at.path, ...pointerSteps(error.instancePath, value)];
    // Of a value that breaks several rules the first is enough; keys have places of their own.
    const isAboutKeys = error.keyword === "required" || error.keyword === "additionalProperties";
    const place = path.join("\u0000");
    if (!isAboutKeys && told.has(place)) continue;
    told.add(place);
    const part = schemaAt(schema as unknown as SchemaView, error.schemaPath);
    explain({ keyword: error.keyword, params: error.params, schema: part }, path, at.problems);
  }
  return false;
}

interface SchemaError {
  readonly keyword: string;
  readonly params: object;
  readonly schema: SchemaView;
}

function explain(error: SchemaError, path: FieldPath, problems: Problems): void {
  const params = error.params as Record<string, unknown>;
  if (error.keyword === "required") {
    for (const name of params["requiredProperties"] as string[]) {
      problems.add([...path, name], "is missing");
    }
    return;
  }
  if (error.keyword === "additionalProperties") {
    const known = Object.keys(error.schema.properties ?? {});
    for (const name of params["additionalProperties"] as string[]) {
      const hint = suggestion(name, known) || `; expected one of ${known.join(", ")}`;
      problems.add([...path, name], `unknown key${hint}`);
    }
    return;
  }
  problems.add(path, `expected ${expectation(error.keyword, params, error.schema)}`);
}

function expectation(keyword: string, params: Record<string, unknown>, schema: SchemaView): string {
  switch (keyword) {
    case "type":
      return params["type"] === "object" ? "a mapping of keys" : `${article(params["type"])}`;
    case "enum":
      return `one of ${(params["allowedValues"] as unknown[]).map(quote).join(", ")}`;
    case "minItems":
      return `at least ${schema["minItems"]} item(s)`;
    case "maxItems":
      return `at most ${schema["maxItems"]} items`;
    case "minLength":
      return `at least ${schema["minLength"]} character(s)`;
    case "maxLength":
      return `at most ${schema["maxLength"]} characters`;
    case "maxProperties":
      return `at most ${schema["maxProperties"]} keys`;
    case "pattern":
      return "a text without the character U+0000";
    case "minimum":
      return `a number from ${schema["minimum"]}`;
    default:
      return "a number, a text, true or false";
  }
}

function article(type: unknown): string {
  const names: Record<string, string> = {
    string: "a text",
    array: "a list",
    boolean: "true or false",
    integer: "a whole number",
  };
  return names[String(type)] ?? `a ${String(type)}`;
}

/** Steps of a JSON pointer; digits are an index only where the value has a list. */
function pointerSteps(pointer: string, value: unknown): (string | number)[] {
  let current = value;
  return pointer
    .split("/")
    .slice(1)
    .map((escaped) => {
      const step = escaped.replaceAll("~1", "/").replaceAll("~0", "~");
      const isList = Array.isArray(current);
      current = (current as Record<string, unknown> | undefined)?.[step];
      return isList ? Number(step) : step;
    });
}

function schemaAt(root: SchemaView, pointer: string): SchemaView {
  let current: unknown = root;
  for (const step of pointer.split("/").slice(1)) {
    current = (current as Record<string, unknown> | undefined)?.[step];
  }
  return (current ?? {}) as SchemaView;
}
