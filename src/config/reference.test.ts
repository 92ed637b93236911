import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { configSchema } from "./config.ts";
import { type OptionSchema, shapeOf, snakeCase } from "./option-schema.ts";
import { configReference } from "./reference.ts";

function* leaves(schema: OptionSchema, path: string): Iterable<[string, OptionSchema]> {
  const shape = shapeOf(schema);
  if (shape.kind === "options") {
    for (const [name, property] of Object.entries(shape.properties)) {
      yield* leaves(property, `${path}.${snakeCase(name)}`);
    }
    return;
  }
  yield [path, schema];
  if (shape.kind === "record") yield* leaves(shape.value, `${path}.<name>`);
}

describe("configReference()", () => {
  it("is what docs/configuration.md holds", () => {
    // `node src/main.ts config reference > docs/configuration.md` brings it up to date.
    expect(readFileSync("docs/configuration.md", "utf8")).toBe(configReference());
  });

  it("has a meaning and a reason for every option", () => {
    const all = [...leaves(configSchema, "")].filter(([path]) => !path.endsWith("<name>"));
    const silent = all.filter(([, { description, reason }]) => !description || !reason);
    expect(silent.map(([path]) => path)).toEqual([]);
    expect(all.length).toBeGreaterThan(40);
  });
});
