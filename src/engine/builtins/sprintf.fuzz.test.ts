import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { disagreements } from "../../../test/support/builtin-oracle.ts";
import type { Term } from "../term.ts";
import { TermNumber } from "../term-value.ts";
import { sprintfBuiltins } from "./sprintf.ts";

const number = fc
  .oneof(
    fc.integer().map(String),
    fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }).map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.tuple(fc.integer(), fc.nat()).map(([whole, fraction]) => `${whole}.${fraction}`),
  )
  .map((text) => new TermNumber(text));

const argument: fc.Arbitrary<Term> = fc.oneof(
  number,
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.array(number, { maxLength: 2 }),
);

const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(..."vdsqxXoObcUeEfFgGtT%") },
  { weight: 4, arbitrary: fc.constantFrom("%", "%") },
  { weight: 3, arbitrary: fc.constantFrom(..."#0+- ") },
  { weight: 2, arbitrary: fc.constantFrom("1", "7", "12", ".", ".3", "*", ".*") },
  { weight: 1, arbitrary: fc.constantFrom("[1]", "[2]", "[3]", "[0]", "[", "]", "é") },
);

const call = fc.record({
  name: fc.constant("sprintf"),
  args: fc.tuple(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
    fc.array(argument, { maxLength: 4 }),
  ),
});

describe("sprintf", () => {
  it("agrees with OPA on formats made of random pieces", () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 800, maxLength: 800 }), (calls) => {
        expect(disagreements(sprintfBuiltins, calls)).toEqual([]);
      }),
      { numRuns: 2, interruptAfterTimeLimit: 8000 },
    );
  });
});
