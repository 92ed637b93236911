import fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, it } from "vitest";
import { programSizeMax } from "./regex-size.ts";

const PARTS = [
  ...["a", "é", "😀", ".", "(", ")", "(?:", "(?P<n>", "(?i)", "(?U)", "|", "*", "+", "?", "*?"],
  ...["{2}", "{0}", "{3,}", "{1,4}", "{1", ",", "3}", "{", "}", "^", "$", "\\b", "\\z", "\\C"],
  ...["[a-z]", "[^a]", "[]a]", "[[:alpha:]]", "[", "]", "[:", ":]", "-", "\\]", "\\[", "\\\\"],
  ...["\\d", "\\pN", "\\p{Greek}", "\\x{10}", "\\x41", "\\07", "\\Q", "\\E", "\\"],
];

const pattern = fc
  .array(fc.constantFrom(...PARTS), { minLength: 1, maxLength: 12 })
  .map((parts) => parts.join(""));

function programSize(text: string): number {
  try {
    return RE2JS.compile(text).programSize();
  } catch {
    return 0;
  }
}

describe("programSizeMax()", () => {
  it("is no less than what the pattern is compiled to", () => {
    fc.assert(
      fc.property(pattern, (text) => {
        expect(programSizeMax(text)).toBeGreaterThanOrEqual(programSize(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it("is not far from it for patterns in use", () => {
    const texts = [
      "^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}$",
      "^/api/v[0-9]{1,3}/(users|groups)/[^/]+(/.*)?$",
      "^(?:[0-9]{1,3}\\.){3}[0-9]{1,3}$",
    ];
    for (const text of texts) expect(programSizeMax(text)).toBeLessThan(10 * programSize(text));
  });
});
