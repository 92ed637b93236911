import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { disagreements } from "../../../test/support/builtin-oracle.ts";
import { globsMatchBuiltins } from "./globs-match.ts";

const wellFormed = fc.constantFrom(
  ...["a", "b", "c", ".", "[ab]", "[bc]", "a*", "b*", ".*", "a+", "[ab]*", "[bc]+", ".+", "\\*"],
);

const anything = fc.constantFrom(
  ...["a", "b", ".", "[ab]", "[a-c]", "[]", "*", "+", "\\", "]", "[", "-", "é", "[x-]", "[-x]"],
  ...["[b-a]", "[a-\\]]", "[a-b-c]", "😀"],
);

const glob = fc
  .oneof(fc.array(wellFormed, { maxLength: 7 }), fc.array(anything, { maxLength: 5 }))
  .map((pieces) => pieces.join(""));

const call = fc.record({ name: fc.constant("regex.globs_match"), args: fc.tuple(glob, glob) });

describe("regex.globs_match", () => {
  it("agrees with OPA on globs made of random pieces", () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 1500, maxLength: 1500 }), (calls) => {
        expect(disagreements(globsMatchBuiltins, calls)).toEqual([]);
      }),
      { numRuns: 2, interruptAfterTimeLimit: 8000 },
    );
  });
});
