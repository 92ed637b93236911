import { describe, expect, it } from "vitest";
import { type DocumentParts, joinParts, partsAt, partsOf } from "./document-parts.ts";

/** The tree as an object, to be looked at. */
const shown = (parts: DocumentParts | undefined): unknown =>
  typeof parts === "object"
    ? Object.fromEntries([...parts].map(([name, below]) => [name, shown(below)]))
    : parts;

describe("partsAt()", () => {
  it("makes a tree of paths, each with everything below it", () => {
    expect(shown(partsAt(["a.b.c", "a.d", "e"]))).toEqual({
      a: { b: { c: "all" }, d: "all" },
      e: "all",
    });
    expect(shown(partsAt([]))).toEqual({});
    expect(partsAt(undefined)).toBe("all");
  });

  it("takes the whole where a path names it, whatever others name of it", () => {
    for (const paths of [
      ["a.b", "a"],
      ["a", "a.b"],
    ])
      expect(shown(partsAt(paths))).toEqual({ a: "all" });
  });
});

describe("joinParts()", () => {
  it("has what either has, and changes neither", () => {
    const [a, b] = [partsAt(["a.b", "c"]), partsAt(["a.d", "c.e"])];
    expect(shown(joinParts(a, b))).toEqual({ a: { b: "all", d: "all" }, c: "all" });
    expect(shown(a)).toEqual({ a: { b: "all" }, c: "all" });
    expect(joinParts(a, "all")).toBe("all");
    expect(joinParts("all", b)).toBe("all");
  });
});

describe("partsOf()", () => {
  it("gives the parts of a member", () => {
    const parts = partsAt(["a.b", "__proto__"]);
    expect(shown(partsOf(parts, "a"))).toEqual({ b: "all" });
    expect(partsOf(parts, "__proto__")).toBe("all");
    expect(partsOf(parts, "toString")).toBeUndefined();
    expect(partsOf("all", "anything")).toBe("all");
    expect(partsOf(undefined, "a")).toBeUndefined();
  });
});
