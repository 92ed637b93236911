import { describe, expect, it } from "vitest";
import { ChangeIndex } from "./change-index.ts";

describe("ChangeIndex", () => {
  it("knows of nobody more than when it began", () => {
    const index = new ChangeIndex(5);
    expect(index.touchedAt("user-1")).toBe(5);
    expect(index.upTo).toBe(5);
  });

  it("knows the newest change of each subject", () => {
    const index = new ChangeIndex(0);
    expect(index.take({ generation: 1, subjects: ["a", "b"] }, 0)).toBe(true);
    expect(index.take({ generation: 2, subjects: ["a"] }, 1)).toBe(true);
    expect(["a", "b", "c"].map((id) => index.touchedAt(id))).toEqual([2, 1, 0]);
    expect(index.upTo).toBe(2);
  });

  it("takes a change after a gap for one of everything", () => {
    const index = new ChangeIndex(0);
    expect(index.take({ generation: 3, subjects: ["a"] }, 2)).toBe(false);
    expect(index.touchedAt("b")).toBe(3);
    expect(index.upTo).toBe(3);
  });

  it("never goes back by a change that it hears of late or twice", () => {
    const index = new ChangeIndex(0);
    index.take({ generation: 1, subjects: ["a"] }, 0);
    index.take({ generation: 2, subjects: "all" }, 1);
    index.take({ generation: 1, subjects: ["a"] }, 0);
    index.note({ generation: 1, subjects: "all" });
    expect(index.touchedAt("a")).toBe(2);
    expect(index.upTo).toBe(2);
  });

  it("takes notice of a change without claiming to know those before it", () => {
    const index = new ChangeIndex(0);
    index.note({ generation: 7, subjects: ["a"] });
    expect(index.touchedAt("a")).toBe(7);
    expect(index.touchedAt("b")).toBe(0);
    expect(index.upTo).toBe(0);
  });

  it("forgets who was touched longest ago by knowing less of everybody", () => {
    const index = new ChangeIndex(0, 2);
    for (const [at, id] of ["a", "b", "a", "c"].entries()) {
      index.take({ generation: at + 1, subjects: [id] }, at);
    }
    expect(["a", "b", "c", "d"].map((id) => index.touchedAt(id))).toEqual([3, 2, 4, 2]);
  });

  it("begins anew in another past", () => {
    const index = new ChangeIndex(0);
    index.take({ generation: 9, subjects: ["a"] }, 0);
    index.restart(4);
    expect(index.touchedAt("a")).toBe(4);
    expect(index.upTo).toBe(4);
  });
});
