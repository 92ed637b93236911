import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BuiltinCall, disagreements } from "../../../test/support/builtin-oracle.ts";
import { type Term, termInteger, termObject, termSet } from "../term-value.ts";
import { jsonPatchBuiltins } from "./json-patch.ts";

const key = fc.constantFrom("a", "b", "c");
const leaf: fc.Arbitrary<Term> = fc.oneof(key, fc.nat(2).map(termInteger));

/** Without arrays: there OPA and the RFC differ. */
const withSets: fc.Arbitrary<Term> = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(fc.tuple(key, tie("term")), { maxLength: 3 }).map(termObject),
    fc.array(tie("term"), { maxLength: 3 }).map(termSet),
  ),
})).term;

const ofObjects: fc.Arbitrary<Term> = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(fc.tuple(key, tie("term")), { maxLength: 3 }).map(termObject),
  ),
})).term;

/** Patches; the path is never empty, since OPA panics where the whole document is removed. */
const callOn = (document: fc.Arbitrary<Term>, operationsMax: number): fc.Arbitrary<BuiltinCall> => {
  const path = fc.array(fc.oneof({ weight: 4, arbitrary: key }, document), {
    minLength: 1,
    maxLength: 3,
  });
  const operation = fc
    .record({
      op: fc.constantFrom("add", "replace", "move", "copy", "test", "remove"),
      path,
      from: path,
      value: document,
    })
    .map((fields) => termObject(Object.entries<Term>(fields)));
  return fc.record({
    name: fc.constant("json.patch"),
    args: fc.tuple(document, fc.array(operation, { minLength: 1, maxLength: operationsMax })),
  });
};

// With sets OPA panics on some second operations.
const call = fc.oneof(callOn(ofObjects, 4), callOn(withSets, 1));

describe("json.patch", () => {
  it("agrees with OPA on random patches of objects and sets", () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 1500, maxLength: 1500 }), (calls) => {
        expect(disagreements(jsonPatchBuiltins, calls)).toEqual([]);
      }),
      // No shrinking: it takes minutes, and a disagreement names its call.
      { numRuns: 2, endOnFailure: true },
    );
  });
});
