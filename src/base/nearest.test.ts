import { describe, expect, it } from "vitest";
import { nearest, suggestion } from "./nearest.ts";

describe("nearest()", () => {
  const keys = ["poll_interval_ms", "port", "permissions", "listen"];

  it.each([
    ["prot", "port"],
    ["Permisions", "permissions"],
    ["poll_interval", "poll_interval_ms"],
    ["lisen", "listen"],
  ])("takes %s for %s", (word, meant) => {
    expect(nearest(word, keys)).toBe(meant);
  });

  it.each(["colour", "x".repeat(10_000)])("makes nothing of what is no typing mistake", (word) => {
    expect(nearest(word, keys)).toBeUndefined();
  });

  it("says nothing where it knows nothing", () => {
    expect(suggestion("colour", keys)).toBe("");
    expect(suggestion("prot", keys)).toBe('; did you mean "port"?');
  });
});
