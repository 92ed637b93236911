import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentHealth } from "../../src/base/health.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import { MiB } from "../../src/base/sizes.ts";
import type { ActivePolicy } from "../../src/bundle/active-policy.ts";
import { buildBundle } from "../../src/bundle/build-bundle.ts";
import { type Bundles, createBundles } from "../../src/bundle/bundles.ts";
import { loadPolicy } from "../../src/engine/load-policy.ts";
import { createPrepareInWorker } from "../../src/start-prepare-worker.ts";
import { type BundleSources, bundleOptions, sourceFolder } from "../support/bundle-files.ts";

let built: string;
let root: string;
let bundles: Bundles;

/** A policy whose answer tells by which revision it was given. */
function policy(revision: string): BundleSources {
  return {
    "authz.rego":
      `package authz\n\ndecision := {"allow": allow, "revisions": ["${revision}", data.it.is]}\n\n` +
      "default allow := false\n\nallow if input.user.permissions[input.resource]\n",
    "data.json": `{"it":{"is":"${revision}"}}`,
    ".manifest": JSON.stringify({ revision, roots: ["authz", "it"] }),
  };
}

async function build(name: string, files: BundleSources): Promise<void> {
  const source = await sourceFolder(files);
  await buildBundle({ source, output: join(built, `${name}.tar.gz`) });
  await rm(source, { recursive: true });
}

beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), "postern-built-"));
  const user = { permissions: ["model"] };
  const cases = [
    { name: "granted", input: { user, resource: "model" }, allow: true },
    { name: "not granted", input: { user, resource: "agent" }, allow: false },
  ];
  const module = "package authz\n\nallow if input.x\n";
  await build("r1", policy("r1"));
  await build("r2", { ...policy("r2"), "postern/cases.json": JSON.stringify({ cases }) });
  const wrong = [{ ...cases[0], allow: false }];
  await build("wrong", { ...policy("r3"), "postern/cases.json": JSON.stringify({ cases: wrong }) });
  const request = 'http.send({"method": "get", "url": input.x})';
  await build("sends", { "a.rego": module.replace("input.x", `${request}.status_code == 200`) });
  return () => rm(built, { recursive: true });
});

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "postern-reload-"));
  await mkdir(join(root, "bundles"));
});

afterEach(async () => {
  await bundles.close();
  await rm(root, { recursive: true });
});

async function start(prepareTimeoutMs = 30_000): Promise<void> {
  const folder = join(root, "bundles");
  bundles = createBundles({
    options: bundleOptions({ folder, lastGoodFolder: join(root, "state") }),
    clock: systemClock,
    logger: silentLogger,
    meter: silentMeter,
    health: silentHealth,
    prepare: createPrepareInWorker(prepareTimeoutMs),
    load: (prepared) =>
      loadPolicy(prepared, {
        yieldToLoop: () => new Promise((resolve) => setImmediate(resolve)),
        chunkBytes: 2 * MiB,
        keptBytesMax: 16 * MiB,
        stepsMax: 10_000_000,
      }),
    catalogueFor: () => undefined,
    hostData: (application) => ({ application }),
  });
  await bundles.start();
}

const file = (name: string): string => join(root, "bundles", `${name}.tar.gz`);
const put = (name: string, content: string) => cp(join(built, `${content}.tar.gz`), file(name));
const revision = (name: string) => bundles.policies.get(name)?.revision;
const failure = (name: string) => {
  const status = bundles.list().find(({ application }) => application === name);
  return status && `${status.state}, ${status.stage}: ${status.error}`;
};

function decide({ policy, entrypoints }: ActivePolicy, resource: string): unknown {
  if (entrypoints.kind !== "document") throw new Error("the bundle has a decision");
  const kept = { text: () => '{"permissions":{"model"}}' };
  const input = JSON.stringify({ resource });
  const entrypoint = entrypoints.document;
  return policy.evaluate({ entrypoint, input, kept, nowNs: systemClock.wallNs() });
}

const waiting = { timeout: 20_000 };

describe("createBundles()", () => {
  it("answers for a bundle soon after it was dropped into the folder", async () => {
    await start();
    await put("billing", "r1");
    await vi.waitFor(() => expect(revision("billing")).toBe("r1"), waiting);
    const active = bundles.policies.get("billing")!;
    expect(decide(active, "model")).toEqual({
      kind: "value",
      value: { allow: true, revisions: ["r1", "r1"] },
    });
    expect(decide(active, "agent")).toMatchObject({ value: { allow: false } });
  });

  it("gives each answer by one revision, the old one or the new one, while it reloads", async () => {
    await put("a", "r1");
    await start();
    const seen = new Set<string>();
    let turns = 0;
    await put("new", "r2");
    await rename(file("new"), file("a"));
    while (!seen.has("r2")) {
      const active = bundles.policies.get("a")!;
      seen.add(active.revision);
      expect(decide(active, "model")).toEqual({
        kind: "value",
        value: { allow: true, revisions: [active.revision, active.revision] },
      });
      turns += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([...seen]).toEqual(["r1", "r2"]);
    expect(turns).toBeGreaterThan(10);
  });

  it("follows the swap of a Kubernetes volume", async () => {
    const path = (name: string): string => join(root, "bundles", name);
    for (const name of ["r1", "r2"]) {
      await mkdir(path(`..${name}`));
      await cp(join(built, `${name}.tar.gz`), path(`..${name}/a.tar.gz`));
    }
    await symlink("..r1", path("..data"));
    await symlink("..data/a.tar.gz", file("a"));
    await start();
    expect(revision("a")).toBe("r1");
    await symlink("..r2", path("..data_tmp"));
    await rename(path("..data_tmp"), path("..data"));
    await vi.waitFor(() => expect(revision("a")).toBe("r2"), waiting);
  });

  it("refuses by name a built-in that is lacking, and a case that fails", async () => {
    await put("sends", "sends");
    await put("wrong", "wrong");
    await start();
    expect(failure("sends")).toMatch(/^failed, policy: builtins: .*http\.send/);
    expect(failure("wrong")).toMatch(/^failed, self-test: .*"granted" expects allow = false/);
  });

  it("refuses a torn file, and keeps the old revision", async () => {
    await put("a", "r1");
    await start();
    await writeFile(file("a"), "torn");
    await vi.waitFor(() => expect(failure("a")).toMatch(/container: /), waiting);
    expect(revision("a")).toBe("r1");
  });

  it("stops a preparation that takes too long", async () => {
    await put("a", "r1");
    await start(1);
    expect(failure("a")).toMatch(/takes longer than 1 ms \(prepare_timeout_ms\)/);
  });
});
