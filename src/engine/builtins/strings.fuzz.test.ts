import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BuiltinCall, disagreements } from "../../../test/support/builtin-oracle.ts";
import { type Term, termInteger, termObject, termSet } from "../term-value.ts";
import type { BuiltinFamily } from "./builtin.ts";
import { encodingBuiltins } from "./encodings.ts";
import { jsonMarshalBuiltins } from "./json-marshal.ts";
import { objectSubsetBuiltins } from "./object-subset.ts";
import { semverBuiltins } from "./semver.ts";
import { stringBuiltins } from "./strings.ts";
import { unitBuiltins } from "./units.ts";
import { uriBuiltins } from "./uri.ts";
import { urlqueryBuiltins } from "./urlquery.ts";

const families: BuiltinFamily = {
  ...encodingBuiltins,
  ...jsonMarshalBuiltins,
  ...objectSubsetBuiltins,
  ...semverBuiltins,
  ...stringBuiltins,
  ...unitBuiltins,
  ...uriBuiltins,
  ...urlqueryBuiltins,
};

const madeOf = (pieces: readonly string[], maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...pieces), { maxLength }).map((chosen) => chosen.join(""));

const text = madeOf(["a", "b", "ab", "é", "😀", "", " ", "<", "\n", "\u2028", "\u0001"], 6);
const shortText = madeOf(["a", "b", "é", "😀"], 2);
const texts = fc.oneof(
  text,
  fc.array(shortText, { maxLength: 4 }),
  fc.array(shortText).map(termSet),
);

const value: fc.Arbitrary<Term> = fc.letrec<{ value: Term }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.nat(3).map(termInteger),
    fc.constantFrom(null, true),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(tie("value"), { maxLength: 3 }).map(termSet),
    fc.array(fc.tuple(shortText, tie("value")), { maxLength: 3 }).map(termObject),
  ),
})).value;

const amount = madeOf(
  ["1", "2", "0", "9", ".", "e", "E", "+", "-", "k", "K", "Ki", "m", "M", "b", "B", "i", "G", "75"],
  6,
);
const version = madeOf(["1", "2", "10", "0", ".", ".", ".", "-", "+", "a", "rc", "v"], 9);
// Letters that are no hexadecimal digits, so that no escape stands for a byte beyond ASCII.
const uri = madeOf(
  [
    ...["http", ":", "//", "/", "h", "@", "?", "#", "%41", "%C3%A9", "%", "%zz", "[::1]", "4"],
    ...[".", "é", " ", "&", "=", ";"],
  ],
  7,
);

const call = fc.oneof(
  ...(
    [
      ["indexof_n", text, shortText],
      ["strings.count", text, shortText],
      ["strings.split_n", text, shortText, fc.integer({ min: -3, max: 3 }).map(termInteger)],
      ["strings.any_prefix_match", texts, texts],
      ["strings.any_suffix_match", texts, texts],
      ["base64url.encode_no_pad", text],
      ["hex.encode", text],
      ["hex.decode", madeOf(["61", "c3a9", "7A", "g"], 3)],
      ["urlquery.encode", text],
      ["urlquery.decode", uri],
      ["urlquery.decode_object", uri],
      ["uri.parse", uri],
      ["uri.is_valid", uri],
      ["object.subset", value, value],
      ["json.marshal_with_options", value, fc.constant(termObject([["indent", " "]]))],
      ["semver.is_valid", version],
      ["semver.compare", version, version],
      ["units.parse", amount],
      ["units.parse_bytes", amount],
    ] as readonly [string, ...fc.Arbitrary<Term>[]][]
  ).map(
    ([name, ...args]): fc.Arbitrary<BuiltinCall> =>
      fc.record({ name: fc.constant(name), args: fc.tuple(...args) }),
  ),
);

describe("built-ins of texts", () => {
  it("agree with OPA on random calls", () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 2000, maxLength: 2000 }), (calls) => {
        expect(disagreements(families, calls)).toEqual([]);
      }),
      { numRuns: 2, interruptAfterTimeLimit: 8000 },
    );
  });
});
