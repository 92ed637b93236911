import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeKey } from "./key.ts";

describe("encodeKey()", () => {
  // Digits and colons are what the encoding itself is made of.
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom("1", "2", ":", "a") }));
  const key = fc.record({ application: text, subjectId: text });

  it("gives different keys different strings", () => {
    fc.assert(
      fc.property(key, key, (one, other) => {
        const same = one.application === other.application && one.subjectId === other.subjectId;
        expect(encodeKey(one) === encodeKey(other)).toBe(same);
      }),
      { numRuns: 2_000 },
    );
  });

  it("keeps adjacent fields apart", () => {
    expect(encodeKey({ application: "a", subjectId: "bc" })).not.toBe(
      encodeKey({ application: "ab", subjectId: "c" }),
    );
  });
});
