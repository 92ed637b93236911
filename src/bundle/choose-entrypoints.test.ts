import { describe, expect, it } from "vitest";
import { chooseEntrypoints } from "./choose-entrypoints.ts";
import { outlineRego } from "./rego-outline.ts";

function choose(paths: string[], rego: string[] = [], changes: { wanted?: string } = {}) {
  return chooseEntrypoints({
    available: new Map(paths.map((path, index) => [path, index])),
    declared: paths,
    wanted: changes.wanted,
    outlines: rego.map(outlineRego),
  });
}

const refusal = (message: string) =>
  expect.objectContaining({ stage: "entrypoints", message: expect.stringContaining(message) });

describe("chooseEntrypoints()", () => {
  it("refuses what has nothing to decide by", () => {
    expect(() => choose([])).toThrow(refusal("it has no entrypoints"));
    expect(() => choose(["a/x", "a/y"])).toThrow(refusal('its entrypoints are "a/x", "a/y"'));
  });

  it.each([
    [["a/decision", "b/decision"], []],
    [
      ["a", "b"],
      ["package a", "package b"],
    ],
    [["a/allow", "b/allow"], []],
  ])("refuses %j, where several could decide", (paths, rego) => {
    expect(() => choose(paths, rego)).toThrow(refusal("more than one entrypoint that decides"));
  });

  it("refuses a manifest that asks for, or lists, what isn't there", () => {
    expect(() => choose(["a/decision"], [], { wanted: "a/other" })).toThrow(
      refusal('asks for "a/other"'),
    );
    const absent = { available: new Map(), declared: ["a/b"], wanted: undefined, outlines: [] };
    expect(() => chooseEntrypoints(absent)).toThrow(refusal("the wasm module doesn't have"));
  });

  it.each([
    ["package a\ndeny if input.x", "a/deny"],
    ["package a\nmfa_required contains 1 if input.x", "a/mfa_required"],
    ["package a.deny\nx := 1", "a/deny"],
  ])("refuses an allow beside which %j is compiled away", (rego, path) => {
    expect(() => choose(["a/allow"], [rego])).toThrow(refusal(`"${path}"`));
    expect(() => choose(["a/allow", "b"], [rego, "package b"], { wanted: "a/allow" })).toThrow(
      refusal(`\`-e ${path}\``),
    );
  });

  it("takes the one that the manifest asks for", () => {
    const document = { kind: "document", document: 1 };
    expect(choose(["a/decision", "b/decision"], [], { wanted: "b/decision" })).toEqual(document);
    expect(choose(["a/decision", "a/is_fine"], [], { wanted: "a/is_fine" })).toEqual(document);
  });

  it("prefers a decision to a package, and a package to an allow", () => {
    const rego = ["package b", "package c\ndeny if input.x"];
    const paths = ["c/allow", "b", "a/decision"];
    expect(choose(paths, rego)).toEqual({ kind: "document", document: 2 });
    expect(choose(paths.slice(0, 2), rego)).toEqual({ kind: "document", document: 1 });
  });

  it("takes a package called allow or decision for a package", () => {
    expect(choose(["a/allow"], ["package a.allow"])).toEqual({ kind: "document", document: 0 });
    expect(
      choose(["a/decision", "b"], ["package a.decision", "package b"], { wanted: "b" }),
    ).toEqual({ kind: "document", document: 1 });
  });

  it("takes an allow with the siblings that are entrypoints", () => {
    expect(choose(["a/deny", "a/allow", "b/mfa_required"])).toEqual({
      kind: "rules",
      allow: 1,
      deny: 0,
      mfaRequired: undefined,
    });
  });

  it("uses what the module has where the manifest lists nothing", () => {
    const available = new Map([["a/decision", 4]]);
    const choice = { available, declared: [], wanted: undefined, outlines: [] };
    expect(chooseEntrypoints(choice)).toEqual({ kind: "document", document: 4 });
  });
});
