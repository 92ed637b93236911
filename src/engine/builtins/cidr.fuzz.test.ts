import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { disagreements } from "../../../test/support/builtin-oracle.ts";
import { cidrBuiltins } from "./cidr.ts";

const v4 = fc
  .tuple(fc.nat(3), fc.nat(255), fc.integer({ min: 20, max: 32 }))
  .map(([third, last, prefix]) => `10.0.${third}.${last}/${prefix}`);

const v6 = fc
  .tuple(fc.nat(3), fc.nat(0xffff), fc.integer({ min: 108, max: 128 }))
  .map(([group, last, prefix]) => `2001:db8::${group.toString(16)}:${last.toString(16)}/${prefix}`);

const networks = fc.array(fc.oneof({ weight: 2, arbitrary: v4 }, v6), { maxLength: 6 });

const call = fc.oneof(
  fc.record({ name: fc.constant("net.cidr_merge"), args: fc.tuple(networks) }),
  fc.record({
    name: fc.constant("net.cidr_contains_matches"),
    args: fc.tuple(networks, networks),
  }),
);

describe("cidrBuiltins", () => {
  it("agree with OPA on random networks", () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 500, maxLength: 500 }), (calls) => {
        expect(disagreements(cidrBuiltins, calls)).toEqual([]);
      }),
      { numRuns: 2, interruptAfterTimeLimit: 8000 },
    );
  });
});
