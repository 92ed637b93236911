import { describe, expect, it } from "vitest";
import { quoted } from "./quoted.ts";

describe("quoted()", () => {
  it.each([
    ["plain", '"plain"'],
    ['say "no"', '"say \\"no\\""'],
    ["a\u0000b\nc", '"a\\u0000b\\nc"'],
    ["\u007f\u009b\u2028\u2029", '"\ufffd\ufffd\ufffd\ufffd"'],
    ["\ud800", '"\ufffd"'],
  ])("shows %j on one line, as it can do no harm", (text, shown) => {
    expect(quoted(text, 64)).toBe(shown);
  });

  it("cuts what is long, also within a pair of surrogates", () => {
    expect(quoted("x".repeat(10_000), 8)).toBe('"xxxxxxxx…"');
    expect(quoted("abc😀", 4)).toBe('"abc\ufffd…"');
  });
});
