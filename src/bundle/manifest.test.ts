import { describe, expect, it } from "vitest";
import { manifestOf } from "../../test/support/bundle-files.ts";
import { checkReads, isUnder, moduleDigest, readManifest } from "./manifest.ts";

const wasm = (...entrypoints: string[]) =>
  entrypoints.map((entrypoint) => ({ entrypoint, module: "/policy.wasm" }));

const module = moduleDigest(Buffer.from("wasm"));
const withReads = (reads: unknown): string => manifestOf({ metadata: { postern: { reads } } });

describe("readManifest()", () => {
  it.each([
    ["[]", "not an object"],
    ["{", "not JSON"],
    [manifestOf({ revision: 7 }), "revision is not a string"],
    [manifestOf({ revision: "a\nb" }), "control characters"],
    [manifestOf({ revision: "x".repeat(513) }), "longer than 512"],
    [manifestOf({ roots: "authz" }), "roots is not a list"],
    [manifestOf({ roots: [1] }), "roots[0] is not a path"],
    [manifestOf({ roots: ["authz", "authz/sub"] }), 'roots "authz" and "authz/sub" overlap'],
    [manifestOf({ roots: ["authz", "authz"] }), "overlap"],
    [manifestOf({ roots: ["", "authz"] }), "overlap"],
    [manifestOf({ roots: ["authz", "/postern/"] }), 'root "postern" belongs to Postern'],
    [manifestOf({ roots: ["authz", "postern/x"] }), "belongs to Postern"],
    [manifestOf({ roots: ["other"] }), '"authz/decision" is outside of the manifest\'s roots'],
    [manifestOf({ roots: ["auth"] }), "outside of the manifest's roots"],
    [manifestOf({ wasm: {} }), "wasm is not a list"],
    [manifestOf({ wasm: [null] }), "wasm[0] is not an object"],
    [manifestOf({ wasm: [{ entrypoint: "a" }] }), "lacks its entrypoint or its module"],
    [manifestOf({ wasm: wasm("a/b", "a/b") }), '"a/b" is listed twice'],
    [
      manifestOf({ wasm: [...wasm("a/b"), { entrypoint: "a/c", module: "/x/policy.wasm" }] }),
      "several wasm modules",
    ],
    [manifestOf({ metadata: [] }), "metadata is not an object"],
    [manifestOf({ metadata: { postern: true } }), "metadata.postern is not an object"],
    [manifestOf({ metadata: { postern: { entrypont: "x" } } }), 'unknown key "entrypont"'],
    ['{"metadata":{"postern":{"__proto__":{}}}}', 'unknown key "__proto__"'],
    [manifestOf({ metadata: { postern: { arrays: 1 } } }), "arrays is not true or false"],
    [manifestOf({ metadata: { postern: { catalogue: [] } } }), "catalogue is not a string"],
    [withReads([]), "reads is not an object"],
    [withReads({ module, paths: [], path: [] }), 'reads has the unknown key "path"'],
    [withReads({ paths: [] }), "reads.module is not the SHA-256"],
    [withReads({ module: "x".repeat(64), paths: [] }), "reads.module is not the SHA-256"],
    [withReads({ module }), "reads.paths is not a list of at most 1000 paths"],
    [withReads({ module, paths: Array(1_001).fill("a") }), "reads.paths is not a list"],
    [withReads({ module, paths: ["a", 1] }), "reads.paths[1] is not a path"],
    [withReads({ module, paths: [""] }), "reads.paths[0] is not a path"],
    [withReads({ module, paths: ["a."] }), "reads.paths[0] is not a path"],
    [withReads({ module, paths: ["a\nb"] }), "reads.paths[0] is not a path"],
    [withReads({ module, paths: ["a.b.c.d.e.f.g.h.i"] }), "reads.paths[0] is not a path"],
  ])("refuses %s", (text, message) => {
    expect(() => readManifest(text)).toThrow(
      expect.objectContaining({ stage: "manifest", message: expect.stringContaining(message) }),
    );
  });

  it("takes a bundle without a manifest for one that owns everything", () => {
    expect(readManifest(undefined)).toMatchObject({
      revision: "",
      roots: [""],
      entrypoints: [],
      module: "policy.wasm",
      postern: { entrypoint: undefined, arrays: false, catalogue: undefined, reads: undefined },
    });
  });

  it("reads Postern's own part and passes over other metadata", () => {
    const reads = { module, paths: ["a", "a b.__proto__.ö"] };
    const postern = { entrypoint: "/authz/decision", arrays: true, catalogue: "platform", reads };
    const text = manifestOf({ metadata: { postern, other: 1 }, rego_version: 1 });
    expect(readManifest(text).postern).toEqual({ ...postern, entrypoint: "authz/decision" });
  });
});

describe("checkReads()", () => {
  it("refuses what was derived from another module", () => {
    const reads = { module, paths: [] };
    expect(() => checkReads(reads, Buffer.from("other"))).toThrow("derived from another module");
    expect(() => checkReads(reads, Buffer.from("wasm"))).not.toThrow();
    expect(() => checkReads(undefined, Buffer.from("other"))).not.toThrow();
  });
});

describe("isUnder()", () => {
  it("compares whole segments", () => {
    expect(isUnder(["a/b"], "a/b/c")).toBe(true);
    expect(isUnder(["a/b"], "a/bc")).toBe(false);
    expect(isUnder(["a/b"], "a")).toBe(false);
  });
});
