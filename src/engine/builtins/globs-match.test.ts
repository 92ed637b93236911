import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { BuiltinLimit } from "./builtin.ts";
import { globsMatchBuiltins } from "./globs-match.ts";

const globsMatch = (a: string, b: string): unknown =>
  globsMatchBuiltins["regex.globs_match"]!([a, b], builtinContext());

describe("regex.globs_match", () => {
  it("takes no exponential time", () => {
    const stars = "a*b*".repeat(12);
    expect(globsMatch(`${stars}c`, `${"b*a*".repeat(12)}d`)).toBe(false);
  });

  it("refuses globs that recursion could not follow", () => {
    expect(() => globsMatch("a".repeat(1001), "a")).toThrow(BuiltinLimit);
    expect(() => globsMatch(`[${"a".repeat(5000)}]`, "a")).toThrow(BuiltinLimit);
    expect(globsMatch("a*b*".repeat(499), "b*a*".repeat(499))).toBeTypeOf("boolean");
  });
});
