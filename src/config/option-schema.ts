/** What configuration needs to know of a TypeBox schema, which is JSON Schema with two additions. */
export interface OptionSchema {
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean" | "null";
  readonly properties?: Readonly<Record<string, OptionSchema>>;
  readonly required?: readonly string[];
  /** One entry: the pattern that keys must match, and what they lead to. */
  readonly patternProperties?: Readonly<Record<string, OptionSchema>>;
  readonly items?: OptionSchema;
  readonly anyOf?: readonly OptionSchema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly description?: string;
  readonly default?: unknown;
  /** Why the default is what it is. */
  readonly reason?: string;
  /** The value is never shown; or it is a URL, and shown without its password. */
  readonly secret?: boolean | "url-password";
}

/** The structure of a schema, as far as reading and printing depend on it. */
export type OptionShape =
  /** Keys are names of options. */
  | { readonly kind: "options"; readonly properties: Readonly<Record<string, OptionSchema>> }
  /** Keys are the operator's own. */
  | { readonly kind: "record"; readonly keyPattern: string; readonly value: OptionSchema }
  | { readonly kind: "list"; readonly item: OptionSchema }
  /** One of several, at least one of which has members. */
  | { readonly kind: "alternatives"; readonly branches: readonly OptionSchema[] }
  | { readonly kind: "scalar" };

/** The shape of `schema`. */
export function shapeOf(schema: OptionSchema): OptionShape {
  if (schema.properties !== undefined) return { kind: "options", properties: schema.properties };
  if (schema.patternProperties !== undefined) {
    const [[keyPattern, value]] = Object.entries(schema.patternProperties) as [
      [string, OptionSchema],
    ];
    return { kind: "record", keyPattern, value };
  }
  if (schema.items !== undefined) return { kind: "list", item: schema.items };
  const branches = schema.anyOf ?? [];
  if (branches.some((branch) => shapeOf(branch).kind !== "scalar")) {
    return { kind: "alternatives", branches };
  }
  return { kind: "scalar" };
}

/** `pollIntervalMs` → `poll_interval_ms`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Whether `object` may lack the property. */
export function isOptional(object: OptionSchema, property: string): boolean {
  return !(object.required ?? []).includes(property);
}

/** What a schema accepts, as the end of a sentence that begins with “expected”. */
export function expectation(schema: OptionSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return oneOf(schema.enum.map((value) => JSON.stringify(value)));
  if (schema.anyOf !== undefined) return oneOf(schema.anyOf.map(expectation));
  switch (schema.type) {
    case "boolean":
      return "true or false";
    case "integer":
    case "number":
      return numberExpectation(schema);
    case "string":
      return textExpectation(schema);
    case "array": {
      const count = range(schema.minItems, schema.maxItems);
      const items = schema.items === undefined ? "" : `, each ${expectation(schema.items)}`;
      return `a list${count === "" ? "" : ` of ${count} items`}${items}`;
    }
    case "object":
      return "a mapping of keys to values";
    default:
      return "a value";
  }
}

function numberExpectation(schema: OptionSchema): string {
  const { minimum, maximum, multipleOf } = schema;
  const kind = schema.type === "integer" ? "a whole number" : "a number";
  const bounds = range(minimum, maximum);
  const isBetween = minimum !== undefined && maximum !== undefined;
  const step = multipleOf === undefined ? "" : `, a multiple of ${multipleOf}`;
  return `${kind}${bounds === "" ? "" : `${isBetween ? " from" : ","} ${bounds}`}${step}`;
}

function textExpectation(schema: OptionSchema): string {
  const length = range(schema.minLength, schema.maxLength);
  const size = length === "" ? "" : ` of ${length} characters`;
  return `text${size}${schema.pattern === undefined ? "" : ` that matches ${schema.pattern}`}`;
}

function range(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return `${min} to ${max}`;
  if (min !== undefined) return `${min} or more`;
  return max === undefined ? "" : `at most ${max}`;
}

function oneOf(choices: readonly string[]): string {
  return choices.length > 2 ? `one of ${choices.join(", ")}` : choices.join(" or ");
}
