import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { opaEval } from "../../test/support/opa.ts";
import { formatTerm, parseTerm, type Term } from "./term.ts";
import { compareTerms, equalTerms, TermNumber, termObject, termSet } from "./term-value.ts";

const number = fc
  .oneof(
    fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }).map(String),
    fc.integer({ min: -3, max: 3 }).map(String),
    fc.tuple(fc.integer({ min: -99, max: 99 }), fc.nat(999)).map(([a, b]) => `${a}.${b}`),
    fc
      .tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 }))
      .map(([a, b]) => `${a}e${b}`),
  )
  .map((text) => new TermNumber(text));

const term: fc.Arbitrary<Term> = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false),
    number,
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.array(tie("term"), { maxLength: 3 }),
    fc.array(tie("term"), { maxLength: 3 }).map(termSet),
    fc.array(fc.tuple(tie("term"), tie("term")), { maxLength: 3 }).map(termObject),
  ),
})).term;

describe("parseTerm(), formatTerm()", () => {
  it("undo each other", () => {
    fc.assert(
      fc.property(term, (value) => {
        const text = formatTerm(value);
        expect(equalTerms(parseTerm(text), value)).toBe(true);
        expect(formatTerm(parseTerm(text))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });
});

describe("compareTerms()", () => {
  it("orders as OPA does", () => {
    fc.assert(
      fc.property(fc.array(term, { minLength: 200, maxLength: 200 }), (values) => {
        const shuffled = formatTerm(values);
        // Places instead of values, since JSON has no sets.
        const module = `package order

values := ${shuffled}

places := [place | some value in sort(values); place := min({i | some i, v in values; v == value})]
`;
        const places = opaEval({ "order.rego": module }, "data.order.places");
        const ours = values
          .toSorted(compareTerms)
          .map((value) => values.findIndex((other) => equalTerms(other, value)));
        expect(ours).toEqual(places);
      }),
      { numRuns: 3, interruptAfterTimeLimit: 8000 },
    );
  });
});
