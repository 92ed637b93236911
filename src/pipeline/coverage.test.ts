import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { catalogueOf } from "../../test/support/pipeline.ts";
import { patternCovers } from "../decision/names.ts";
import { addCovered, coveringPatterns } from "./coverage.ts";

const catalogue = catalogueOf(["agent:read", "agent:execute", "model:read", "model:deploy"]);

function covered(...patterns: string[]): string[] {
  const found = new Set<string>();
  addCovered(found, patterns, catalogue);
  return [...found].sort();
}

describe("addCovered()", () => {
  it("adds nothing for what the catalogue lacks", () => {
    expect(covered("agent:delete", "dataset:*", "*:approve")).toEqual([]);
  });

  it("expands a star on either side, and on both", () => {
    expect(covered("agent:*")).toEqual(["agent:execute", "agent:read"]);
    expect(covered("*:read")).toEqual(["agent:read", "model:read"]);
    expect(covered("*:*")).toHaveLength(4);
    expect(covered("model:deploy")).toEqual(["model:deploy"]);
  });

  it("takes no star within a part for a pattern", () => {
    expect(covered("age*:read", "*", "agent:r*", "*:")).toEqual([]);
  });

  it("agrees with the definition of a pattern", () => {
    const part = fc.constantFrom("*", "agent", "model", "read", "execute", "");
    fc.assert(
      fc.property(part, part, (resource, action) => {
        const pattern = `${resource}:${action}`;
        const expected = [...catalogue.permissions.values()]
          .filter((one) => patternCovers(pattern, one.resource, one.action))
          .map((one) => `${one.resource}:${one.action}`);
        expect(covered(pattern)).toEqual(expected.sort());
        for (const one of catalogue.permissions.values()) {
          expect(coveringPatterns(one.resource, one.action).includes(pattern)).toBe(
            patternCovers(pattern, one.resource, one.action),
          );
        }
      }),
    );
  });
});
