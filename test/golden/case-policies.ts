import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Create } from "typebox/value";
import type { Clock } from "../../src/base/clock.ts";
import { MiB } from "../../src/base/sizes.ts";
import { createActivator } from "../../src/bundle/activate-bundle.ts";
import type { ActivePolicies, ActivePolicy } from "../../src/bundle/active-policy.ts";
import { buildBundle } from "../../src/bundle/build-bundle.ts";
import { bundleOptionsSchema } from "../../src/bundle/options.ts";
import { createPrepareBundle } from "../../src/bundle/prepare-bundle.ts";
import type { Catalogue } from "../../src/decision/catalogue.ts";
import { loadPolicy } from "../../src/engine/load-policy.ts";
import { preparePolicy } from "../../src/engine/prepare-policy.ts";
import { createHostData } from "../../src/pipeline/host-data.ts";
import type { PipelineOptions } from "../../src/pipeline/options.ts";
import { projectRoot } from "../support/source-files.ts";
import type { GoldenCase } from "./golden-case.ts";

/** Policies that cases may ask for by name, built from source when first asked for. */
const fixturePolicies: Readonly<Record<string, FixturePolicy>> = {
  arrays: { source: "test/fixtures/arrays" },
  billing: { source: "examples/billing" },
  gateway: { source: "policies/gateway" },
  faulty: { source: "test/fixtures/faulty" },
  mirror: { source: "test/fixtures/mirror" },
  "seed-v0": { source: "test/fixtures/seed-v0", isV0: true },
  "seed-v0-rules": {
    source: "test/fixtures/seed-v0",
    isV0: true,
    rules: ["authz/allow", "authz/deny", "authz/mfa_required"],
  },
};

interface FixturePolicy {
  readonly source: string;
  readonly isV0?: boolean;
  /** Built by `opa` itself with these entrypoints, as somebody might who does not know of us. */
  readonly rules?: readonly string[];
}

/** What the policies of a case depend on. */
export interface CasePolicies {
  readonly golden: GoldenCase;
  readonly options: PipelineOptions;
  readonly catalogues: ReadonlyMap<string, Catalogue>;
  readonly clock: Clock;
}

// Compiling takes longer than all the cases that share a policy.
const bundles = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
const active = new Map<string, ActivePolicy>();
const shipped = new Set(["platform", "gateway"]);
const prepare = createPrepareBundle(preparePolicy);

/** Activates what the case asks about: shipped bundles, or what it puts in their place. */
export async function activatePolicies(parts: CasePolicies): Promise<ActivePolicies> {
  const { golden } = parts;
  const asked = [...(golden.checks ?? []), ...(golden.sweeps ?? [])];
  const applications = new Set([
    golden.application ?? parts.options.defaultApplication,
    ...asked.map(({ request }) => request.application ?? ""),
  ]);
  const inForce = new Map<string, ActivePolicy>();
  for (const application of applications) {
    const fixture = golden.policies?.[application] ?? "";
    if (fixture === "" && !shipped.has(application)) continue;
    inForce.set(application, await activePolicy(application, fixture, parts));
  }
  return inForce;
}

/** Cases without settings of their own share what is in force, as the requests of a server do. */
async function activePolicy(
  application: string,
  fixture: string,
  parts: CasePolicies,
): Promise<ActivePolicy> {
  const { golden, options, catalogues, clock } = parts;
  const key = `${application}/${fixture}`;
  const known = golden.settings === undefined ? active.get(key) : undefined;
  if (known !== undefined) return known;
  const bytes = await bundleBytes(application, fixture);
  const activate = createActivator({
    options: Create(bundleOptionsSchema),
    clock,
    prepare,
    load: (prepared) =>
      loadPolicy(prepared, {
        yieldToLoop,
        chunkBytes: MiB,
        keptBytesMax: 4 * MiB,
        stepsMax: 10_000_000,
      }),
    catalogueFor: (name, named) => catalogues.get(named ?? name),
    hostData: createHostData(options),
    signal: new AbortController().signal,
  });
  const digest = createHash("sha256").update(bytes).digest("hex");
  const policy = await activate(application, { bytes, digest, sample: "" });
  if (golden.settings === undefined) active.set(key, policy);
  return policy;
}

function bundleBytes(application: string, fixture: string): Promise<Uint8Array<ArrayBuffer>> {
  const key = `${application}/${fixture}`;
  const known = bundles.get(key);
  if (known !== undefined) return known;
  const bytes = fixture === "" ? shippedBundle(application) : buildFixture(fixture);
  bundles.set(key, bytes);
  return bytes;
}

async function shippedBundle(application: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(join(projectRoot, "bundles", `${application}.tar.gz`)));
}

async function buildFixture(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const fixture = fixturePolicies[name];
  if (fixture === undefined) throw new Error(`${name} is no policy that cases know`);
  const folder = await mkdtemp(join(tmpdir(), "postern-fixture-"));
  try {
    const output = join(folder, "bundle.tar.gz");
    const source = join(projectRoot, fixture.source);
    if (fixture.rules === undefined) {
      await buildBundle({ source, output, isV0: fixture.isV0 });
    } else {
      const entrypoints = fixture.rules.flatMap((rule) => ["--entrypoint", rule]);
      const flags = ["--target", "wasm", "--v0-compatible", "--bundle", ".", "--output", output];
      execFileSync("opa", ["build", ...flags, ...entrypoints], { cwd: source });
    }
    return new Uint8Array(await readFile(output));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function yieldToLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
