import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BuiltinCall, disagreements } from "../../../test/support/builtin-oracle.ts";
import {
  constraintsOf,
  jwkOf,
  jwtCall,
  makeToken,
  makeTokenKeys,
  pemOf,
} from "../../../test/support/jwt-maker.ts";
import { jwtBuiltins } from "./jwt.ts";

const ec = makeTokenKeys("ec", "P-256");
const token = makeToken({ alg: "ES256", key: ec.privateKey, header: { kid: "a" } });
const keys = [pemOf(ec), jwkOf(ec, { kid: "a", alg: "ES256" }), `{"keys":[${jwkOf(ec)}]}`];

/** The text with some of its characters replaced, dropped or doubled. */
function damaged(text: string): fc.Arbitrary<string> {
  const damage = fc.record({
    at: fc.nat(text.length - 1),
    by: fc.constantFrom("", "=", "A", "_", ".", "\n", " ", '"', "é", "{", "0", "-", "+", "/"),
    length: fc.integer({ min: 0, max: 2 }),
  });
  return fc
    .array(damage, { minLength: 1, maxLength: 2 })
    .map((damages) =>
      damages.reduce(
        (changed, { at, by, length }) => changed.slice(0, at) + by + changed.slice(at + length),
        text,
      ),
    );
}

const call: fc.Arbitrary<BuiltinCall> = fc
  .oneof(
    fc.tuple(damaged(token), fc.constantFrom(...keys)),
    fc
      .constantFrom(...keys)
      // What stands behind a key is refused here, and passed over by OPA.
      .chain((key) => damaged(key).filter((text) => text.at(-1) === key.at(-1)))
      .map((key): [string, string] => [token, key]),
  )
  .chain(([text, key]) =>
    fc.constantFrom(
      jwtCall("decode", text),
      jwtCall("verify_es256", text, key),
      jwtCall("decode_verify", text, constraintsOf({ cert: key })),
    ),
  );

describe("jwtBuiltins", () => {
  it("agrees with OPA on damaged tokens and keys", () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 200, maxLength: 300 }), (calls) => {
        expect(disagreements(jwtBuiltins, calls)).toEqual([]);
      }),
      { numRuns: 4, endOnFailure: true },
    );
  });
});
