import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bundleOf, bundleOptions, manifestOf } from "../../test/support/bundle-files.ts";
import { notingMeter } from "../../test/support/noting-meter.ts";
import { systemClock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import type { PreparedPolicy } from "../engine/prepared-policy.ts";
import { type Candidates, createCandidates } from "./candidates.ts";
import type { BundleOptions } from "./options.ts";
import { createPrepareBundle } from "./prepare-bundle.ts";

const soon = { timeout: 10_000, interval: 10 };

let folder: string;
let open: Candidates[];
let notes: string[];
let lines: string[];
let isLoading: boolean;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "postern-candidates-")), "candidates");
  open = [];
  lines = [];
  isLoading = false;
});
afterEach(async () => {
  await Promise.all(open.map((candidates) => candidates.close()));
  await rm(join(folder, ".."), { recursive: true });
});

function started(
  changes: Partial<BundleOptions> = {},
  mayLoad: Promise<void> = Promise.resolve(),
): Candidates {
  const noting = notingMeter();
  notes = noting.notes;
  const entrypoints = new Map([["authz/decision", 0]]);
  const add = (_: object, text: string) => void lines.push(text);
  const candidates = createCandidates({
    folder,
    options: bundleOptions({ settleMs: 1, pollIntervalMs: 20, ...changes }),
    clock: systemClock,
    logger: { ...silentLogger, info: add, error: add },
    meter: noting.meter,
    prepare: createPrepareBundle(async ({ wasm }) => {
      if (Buffer.from(wasm).toString() === "bad") throw new Error("no such built-in: http.send");
      return { layout: { entrypoints } } as unknown as PreparedPolicy;
    }),
    load: async () => {
      isLoading = true;
      await mayLoad;
      return {
        entrypoints,
        evaluate: () => ({ kind: "value", value: { allow: true } }),
        memoryBytes: () => 7,
      };
    },
    catalogueFor: () => undefined,
    hostData: (application) => ({ application }),
  });
  open.push(candidates);
  candidates.start();
  return candidates;
}

async function put(name: string, revision: string, files: Record<string, string> = {}) {
  await mkdir(folder, { recursive: true });
  const bytes = await bundleOf({ ".manifest": manifestOf({ revision }), ...files });
  await writeFile(join(folder, `${name}.tar.gz`), bytes);
}

describe("createCandidates()", () => {
  it("finds candidates in a folder that comes later, and what replaces them", async () => {
    const candidates = started();
    expect(candidates.list()).toEqual([]);
    await put("a", "r1");
    await vi.waitFor(() => expect(candidates.get("a")?.revision).toBe("r1"), soon);
    await put("a", "r2");
    await vi.waitFor(() => expect(candidates.get("a")?.revision).toBe("r2"), soon);
    expect(candidates.list()).toMatchObject([{ application: "a", kind: "loaded" }]);
    expect(notes).toEqual(["postern_shadow_memory_bytes a 7", "postern_shadow_memory_bytes a 7"]);
  });

  it("keeps nothing of one that has left the folder", async () => {
    await put("a", "r1");
    const candidates = started();
    await vi.waitFor(() => expect(candidates.get("a")).toBeDefined(), soon);
    await rm(join(folder, "a.tar.gz"));
    await vi.waitFor(() => expect(candidates.list()).toEqual([]), soon);
    expect(candidates.get("a")).toBeUndefined();
    expect(notes.at(-1)).toBe("postern_shadow_memory_bytes a 0");
    expect(lines.at(-1)).toBe("Candidate gone. It is not evaluated any more.");
  });

  it("keeps nothing of one whose successor is refused, and says why", async () => {
    await put("a", "r1");
    const candidates = started();
    await vi.waitFor(() => expect(candidates.get("a")).toBeDefined(), soon);
    await put("a", "r2", { "policy.wasm": "bad" });
    await vi.waitFor(() => expect(candidates.get("a")).toBeUndefined(), soon);
    expect(candidates.list()).toEqual([
      { application: "a", kind: "refused", stage: "policy", error: "no such built-in: http.send" },
    ]);
    expect(lines.at(-1)).toBe(
      "Candidate refused: no such built-in: http.send. What is in force stays so.",
    );
    await put("a", "r1");
    await vi.waitFor(() => expect(candidates.get("a")?.revision).toBe("r1"), soon);
  });

  it("is held to a bundle's own cases, and to a name that an application may have", async () => {
    const cases = JSON.stringify({ cases: [{ name: "closed", input: {}, allow: false }] });
    await put("a", "r1", { "postern/cases.json": cases });
    await put("NO", "r1");
    const candidates = started();
    await vi.waitFor(() => expect(candidates.list()).toHaveLength(2), soon);
    expect(candidates.list()).toMatchObject([
      { application: "NO", kind: "refused", stage: "read" },
      { application: "a", kind: "refused", stage: "self-test" },
    ]);
  });

  it("takes none any more once it is closed", async () => {
    await put("a", "r1");
    const { promise, resolve } = Promise.withResolvers<void>();
    const candidates = started({}, promise);
    await vi.waitFor(() => expect(isLoading).toBe(true), soon);
    const closed = candidates.close();
    resolve();
    await closed;
    expect(candidates.list()).toEqual([]);
    expect(lines).toEqual([]);
  });

  it("takes no more than bundles_max", async () => {
    await put("0", "r1", { "policy.wasm": "bad" });
    for (const name of ["a", "b"]) await put(name, "r1");
    const candidates = started({ bundlesMax: 1 });
    await vi.waitFor(() => expect(candidates.list()).toHaveLength(3), soon);
    expect(candidates.list()).toMatchObject([
      { application: "0", kind: "refused", stage: "read" },
      { application: "a", kind: "loaded" },
      { application: "b", kind: "refused", error: expect.stringMatching("bundles_max") },
    ]);
  });
});
