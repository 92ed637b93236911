import {
  access,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bundleOf, bundleOptions, manifestOf } from "../../test/support/bundle-files.ts";
import { systemClock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import { silentMeter } from "../base/meter.ts";
import type { Catalogue } from "../decision/catalogue.ts";
import type { PolicySource, PreparedPolicy } from "../engine/prepared-policy.ts";
import { type Bundles, type BundlesDeps, createBundles } from "./bundles.ts";
import { moduleDigest } from "./manifest.ts";
import type { BundleOptions } from "./options.ts";
import { everythingRead } from "./parts-read.ts";
import { createPrepareBundle } from "./prepare-bundle.ts";

let root: string;
let open: Bundles[];
let health: string;
let sources: PolicySource[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "postern-bundles-"));
  await mkdir(join(root, "bundles"));
  open = [];
  sources = [];
});

afterEach(async () => {
  await Promise.all(open.map((bundles) => bundles.close()));
  await rm(root, { recursive: true });
});

/** An engine that takes any module but one whose bytes say `bad`. */
async function preparePolicy(source: PolicySource): Promise<PreparedPolicy> {
  sources.push(source);
  if (Buffer.from(source.wasm).toString() === "bad") {
    throw Object.assign(new Error("no such built-in: http.send"), { stage: "builtins" });
  }
  const entrypoints = new Map([["authz/decision", 0]]);
  return { layout: { entrypoints } } as unknown as PreparedPolicy;
}

const catalogue = (name: string): Catalogue => ({
  name,
  resourceTypes: new Map(),
  permissions: new Map(),
});

function bundlesWith(
  changes: Partial<BundleOptions> = {},
  deps: Partial<BundlesDeps> = {},
): Bundles {
  const bundles = createBundles({
    options: bundleOptions({
      folder: join(root, "bundles"),
      lastGoodFolder: join(root, "state", "bundles"),
      settleMs: 1,
      pollIntervalMs: 20,
      ...changes,
    }),
    clock: systemClock,
    logger: silentLogger,
    meter: silentMeter,
    health: {
      set: (_, state, detail) => {
        health = detail === undefined ? state : `${state}: ${detail}`;
      },
    },
    prepare: createPrepareBundle(preparePolicy),
    load: async () => ({
      entrypoints: new Map([["authz/decision", 0]]),
      evaluate: () => ({ kind: "value", value: { allow: true } }),
      memoryBytes: () => 1,
    }),
    catalogueFor: (application, named) => {
      if (application === "own") return catalogue("own");
      return named === "shared" ? catalogue("shared") : undefined;
    },
    hostData: (application) => ({ application }),
    ...deps,
  });
  open.push(bundles);
  return bundles;
}

const file = (name: string): string => join(root, "bundles", `${name}.tar.gz`);
const copy = (name: string): string => join(root, "state", "bundles", `${name}.tar.gz`);

async function put(name: string, revision: string, files: Record<string, string> = {}) {
  const bytes = await bundleOf({ ".manifest": manifestOf({ revision }), ...files });
  await writeFile(file(name), bytes);
}

async function started(...args: Parameters<typeof bundlesWith>): Promise<Bundles> {
  const bundles = bundlesWith(...args);
  await bundles.start();
  return bundles;
}

const statusOf = (bundles: Bundles, name: string) =>
  bundles.list().find((status) => status.application === name);

describe("createBundles()", () => {
  it("is failing while nothing is in force", async () => {
    const bundles = await started();
    expect(bundles.list()).toEqual([]);
    expect(bundles.policies.get("a")).toBeUndefined();
    expect(health).toBe("failing: no bundle is in force");
  });

  it("starts without its folder, and finds it when it comes", async () => {
    await rm(join(root, "bundles"), { recursive: true });
    const bundles = await started();
    await mkdir(join(root, "bundles"));
    await put("a", "r1");
    await vi.waitFor(() => expect(bundles.policies.get("a")?.revision).toBe("r1"));
    expect(health).toBe("ok");
  });

  it("has tried everything that was there when start resolves", async () => {
    await put("a", "r1");
    await put("b", "r1", { "policy.wasm": "bad" });
    await writeFile(file("C"), "");
    const bundles = await started();
    expect(bundles.list()).toMatchObject([
      { application: "C", state: "failed", stage: "read" },
      { application: "a", state: "active", revision: "r1", source: "folder", error: undefined },
      {
        application: "b",
        state: "failed",
        stage: "policy",
        error: "builtins: no such built-in: http.send",
        revision: undefined,
      },
    ]);
    expect(health).toMatch(/^degraded: C is failed: read: .*; b is failed: policy: builtins: no/);
  });

  it("keeps the old revision in force when an update is refused, until one is good", async () => {
    await put("a", "r1");
    const bundles = await started();
    const before = bundles.policies.get("a");
    await writeFile(file("a"), "torn");
    await vi.waitFor(() => expect(statusOf(bundles, "a")?.stage).toBe("container"));
    expect(statusOf(bundles, "a")).toMatchObject({
      state: "active (update refused)",
      revision: "r1",
      error: "the file is not gzip",
    });
    expect(bundles.policies.get("a")).toBe(before);
    await put("a", "r2");
    await vi.waitFor(() => expect(bundles.policies.get("a")?.revision).toBe("r2"));
    expect(statusOf(bundles, "a")).toMatchObject({ state: "active", stage: undefined });
  });

  it("forgets a refusal when the file is again what is in force", async () => {
    await put("a", "r1");
    const bundles = await started();
    const before = bundles.policies.get("a");
    await writeFile(file("a"), "torn");
    await vi.waitFor(() => expect(statusOf(bundles, "a")?.error).toBeDefined());
    await put("a", "r1");
    await vi.waitFor(() => expect(statusOf(bundles, "a")?.state).toBe("active"));
    expect(bundles.policies.get("a")).toBe(before);
    expect(sources.length).toBe(1);
  });

  it("serves on without the file, says so, and stops when told to remove it", async () => {
    await put("a", "r1");
    const bundles = await started();
    await expect(bundles.remove("a")).rejects.toMatchObject({
      kind: "invalid-argument",
      field: "application",
    });
    await rm(file("a"));
    await vi.waitFor(() => expect(statusOf(bundles, "a")?.state).toBe("active (file deleted)"));
    expect(bundles.policies.get("a")?.revision).toBe("r1");
    expect(await bundles.remove("a")).toBe(true);
    expect(bundles.policies.get("a")).toBeUndefined();
    expect(bundles.list()).toEqual([]);
    expect(await bundles.remove("a")).toBe(false);
    await expect(access(copy("a"))).rejects.toMatchObject({ code: "ENOENT" });
    expect(await (await started()).list()).toEqual([]);
  });

  it("removes nothing by a name that leads elsewhere", async () => {
    const bundles = await started();
    await writeFile(join(root, "state.tar.gz"), "");
    expect(await bundles.remove("../../state")).toBe(false);
    await access(join(root, "state.tar.gz"));
  });

  it("keeps an application in force while nobody can tell whether its file is gone", async () => {
    await put("a", "r1");
    const bundles = await started();
    await rm(file("a"));
    await symlink(file("a"), file("a"));
    const looped = { kind: "unavailable", message: expect.stringMatching(/ELOOP.*stays in force/) };
    await expect(bundles.remove("a")).rejects.toMatchObject(looped);

    await rename(join(root, "bundles"), join(root, "elsewhere"));
    await writeFile(join(root, "bundles"), "no folder");
    const noFolder = { kind: "unavailable", message: expect.stringMatching(/ENOTDIR/) };
    await expect(bundles.remove("a")).rejects.toMatchObject(noFolder);
    expect(bundles.policies.get("a")?.revision).toBe("r1");
    expect(await readFile(copy("a"))).toBeDefined();
  });

  it("forgets a refused file that goes", async () => {
    await writeFile(file("a"), "torn");
    const bundles = await started();
    await rm(file("a"));
    await vi.waitFor(() => expect(bundles.list()).toEqual([]));
  });

  it("serves the last good copy after a restart with a broken or an empty folder", async () => {
    await put("a", "r1");
    await put("b", "r1");
    await (await started()).close();
    expect(await readFile(copy("a"))).toEqual(await readFile(file("a")));
    await writeFile(file("a"), "torn");
    await rm(file("b"));
    const bundles = await started();
    expect(bundles.list()).toMatchObject([
      { application: "a", state: "active (update refused)", source: "last-good", revision: "r1" },
      { application: "b", state: "active (file deleted)", source: "last-good", revision: "r1" },
    ]);
    expect(statusOf(bundles, "a")?.error).toBe("the file is not gzip");
    await put("a", "r2");
    await vi.waitFor(() => expect(bundles.policies.get("a")?.revision).toBe("r2"));
  });

  it("refuses a last good copy that is damaged, and starts nevertheless", async () => {
    await put("a", "r1");
    await (await started()).close();
    await rm(file("a"));
    await writeFile(copy("a"), "torn");
    const bundles = await started();
    expect(statusOf(bundles, "a")).toMatchObject({
      state: "failed",
      stage: "container",
      error: "the last good copy: the file is not gzip",
    });
    expect(await bundles.remove("a")).toBe(true);
    expect(await readdir(join(root, "state", "bundles"))).toEqual([]);
  });

  it("activates a bundle even if its copy can't be written", async () => {
    await writeFile(join(root, "state"), "a file where the folder should be");
    await put("a", "r1");
    const bundles = await started();
    expect(bundles.policies.get("a")?.revision).toBe("r1");
  });

  it("serves no more applications than the limit", async () => {
    await put("a", "r1");
    await put("b", "r1");
    const bundles = await started({ bundlesMax: 1 });
    expect(bundles.policies.get("a")).toBeDefined();
    expect(statusOf(bundles, "b")).toMatchObject({ state: "failed", stage: "read" });
    await put("a", "r2");
    await vi.waitFor(() => expect(bundles.policies.get("a")?.revision).toBe("r2"));
  });

  it("puts the host's data beside the bundle's", async () => {
    await put("a", "r1", { "data.json": '{"n":12345678901234567890}' });
    await started();
    expect(sources[0]?.data).toBe('{"postern":{"application":"a"},"n":12345678901234567890}');
  });

  it.each([
    ["own", undefined, "own"],
    ["own", "own", "own"],
    ["a", "shared", "shared"],
    ["a", undefined, undefined],
  ])("gives %s with the manifest's catalogue %s the catalogue %s", async (name, named, got) => {
    const metadata = { postern: { catalogue: named, arrays: true } };
    await put(name, "r1", { ".manifest": manifestOf({ metadata }) });
    const policy = (await started()).policies.get(name);
    expect(policy).toMatchObject({ wantsArrays: true, entrypoints: { kind: "document" } });
    expect(policy?.catalogue?.name).toBe(got);
  });

  it.each([
    ["own", "shared", 'the application has its own catalogue, "own"'],
    ["a", "absent", 'names "absent", which is no catalogue here'],
  ])("refuses %s with the manifest's catalogue %s", async (name, named, message) => {
    const metadata = { postern: { catalogue: named } };
    await put(name, "r1", { ".manifest": manifestOf({ metadata }) });
    expect(statusOf(await started(), name)).toMatchObject({
      stage: "manifest",
      error: expect.stringContaining(message),
    });
  });

  it("knows what the policy reads, and refuses what was found out about another one", async () => {
    const readsOf = (wasm: string) => ({
      postern: { reads: { module: moduleDigest(Buffer.from(wasm)), paths: ["resource_owner"] } },
    });
    await put("a", "r1", { ".manifest": manifestOf({ metadata: readsOf("wasm") }) });
    await put("b", "r1", { ".manifest": manifestOf({ metadata: readsOf("other") }) });
    await put("c", "r1");
    const bundles = await started();
    expect(bundles.policies.get("a")?.reads).toMatchObject({ request: false });
    expect(statusOf(bundles, "b")).toMatchObject({
      stage: "manifest",
      error: expect.stringContaining("derived from another module"),
    });
    expect(bundles.policies.get("c")?.reads).toBe(everythingRead);
  });

  it("names the digest where the bundle states no revision", async () => {
    await put("a", "");
    const policy = (await started()).policies.get("a");
    expect(policy?.revision).toBe(policy?.digest.slice(0, 12));
  });

  it("refuses what fails its own cases", async () => {
    const cases = '{"cases":[{"name":"c","input":{},"allow":false}]}';
    await put("a", "r1", { "postern/cases.json": cases });
    expect(statusOf(await started(), "a")).toMatchObject({ state: "failed", stage: "self-test" });
  });

  it("activates one bundle at a time, and then the newest content of the others", async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const tried: string[] = [];
    const inner = createPrepareBundle(preparePolicy);
    const bundles = await started(
      {},
      {
        prepare: async (preparation) => {
          const prepared = await inner(preparation);
          tried.push(prepared.revision);
          if (prepared.revision === "slow") await held;
          return prepared;
        },
      },
    );
    await put("a", "slow");
    await vi.waitFor(() => expect(tried).toEqual(["slow"]));
    await put("b", "r1");
    await put("b", "r2");
    release();
    await vi.waitFor(() => expect(bundles.policies.get("b")?.revision).toBe("r2"));
    expect(tried).toEqual(["slow", "r2"]);
    expect(bundles.policies.get("a")?.revision).toBe("slow");
  });

  it("gives up a preparation when it is closed", async () => {
    let began = (): void => {};
    const beginning = new Promise<void>((resolve) => {
      began = resolve;
    });
    const bundles = bundlesWith(
      {},
      {
        prepare: ({ signal }) =>
          new Promise((_, fail) => {
            signal.addEventListener("abort", () => fail(signal.reason));
            began();
          }),
      },
    );
    await put("a", "r1");
    const starting = bundles.start();
    await beginning;
    await bundles.close();
    await starting;
    expect(bundles.list()).toEqual([]);
  });
});
