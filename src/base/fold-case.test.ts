import { describe, expect, it } from "vitest";
import { foldCase } from "./fold-case.ts";

describe("foldCase()", () => {
  it.each([
    ["Export", "export"],
    ["\u212a", "k"],
    ["\u017f", "s"],
    ["\uff25xport", "export"],
    ["stra\u00dfe", "strasse"],
    // As Java's equalsIgnoreCase and Go's ToLower have it.
    ["\u0130d", "id"],
    // As case folding of Unicode, and databases, leave it out.
    ["id\ufe0f", "id"],
    ["\u115fid\u034f", "id"],
    ["A".repeat(60_000), "a".repeat(60_000)],
  ])("compares %s as %s", (text, folded) => {
    expect(foldCase(text)).toBe(folded);
  });

  it("compares no long text beyond ASCII, which would take time", () => {
    const marks = "\u0301\u0323".repeat(128);
    expect(foldCase(marks)).toHaveLength(256);
    expect(foldCase(`${marks}\u0301`)).toBeUndefined();
  });
});
