import { describe, expect, it } from "vitest";
import { printable } from "./printable.ts";

describe("printable()", () => {
  it.each([
    ["a\u001b[2Jb", "a\\u001b[2Jb"],
    ["a\nb\r", "a\\u000ab\\u000d"],
    ["\u009b31m", "\\u009b31m"],
    ["a\u202eb", "a\\u202eb"],
    ["\u2028", "\\u2028"],
    ["\ud800", "\ufffd"],
  ])("escapes %j", (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it("leaves text of any script alone", () => {
    expect(printable("Ünïcødé 日本語 🙂 a:b_c-d")).toBe("Ünïcødé 日本語 🙂 a:b_c-d");
  });
});
