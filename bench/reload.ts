// Whether a bundle with 5 MB of data comes into force without holding up the thread that serves:
// errors, event-loop delay, time to activation, with evaluations running all the while.
// node bench/reload.ts [megabytes of data] [reloads]

import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { systemClock } from "../src/base/clock.ts";
import { silentHealth } from "../src/base/health.ts";
import { silentLogger } from "../src/base/logger.ts";
import { silentMeter } from "../src/base/meter.ts";
import { KiB, MiB } from "../src/base/sizes.ts";
import { buildBundle } from "../src/bundle/build-bundle.ts";
import { type Bundles, createBundles } from "../src/bundle/bundles.ts";
import { loadPolicy } from "../src/engine/load-policy.ts";
import { createPrepareInWorker } from "../src/start-prepare-worker.ts";
import { bundleOptions, sourceFolder } from "../test/support/bundle-files.ts";
import { printTable } from "./support/figures.ts";

const megabytes = Number(process.argv[2] ?? 5);
const reloads = Number(process.argv[3] ?? 5);
const EVALUATIONS_PER_TURN = 20;
const NS_PER_MS = 1e6;

const root = await mkdtemp(join(tmpdir(), "postern-bench-reload-"));
const folder = join(root, "bundles");
await mkdir(folder);

async function build(revision: string): Promise<string> {
  const owners: Record<string, { team: string; tags: string[] }> = {};
  for (let id = 0; JSON.stringify(owners).length < megabytes * 1e6; ) {
    for (const end = id + 2_000; id < end; id++) {
      owners[`resource-${id}`] = { team: `team-${id % 97}`, tags: [`t${id % 7}`, `u${id % 11}`] };
    }
  }
  const source = await sourceFolder({
    "authz.rego":
      'package authz\n\ndecision := {"allow": allow}\n\ndefault allow := false\n\n' +
      "allow if {\n\tinput.user.permissions[input.action]\n\tdata.owners[input.resource].team\n}\n",
    "data.json": JSON.stringify({ owners }),
  });
  const output = join(root, `${revision}.tar.gz`);
  await buildBundle({ source, output, revision });
  await rm(source, { recursive: true });
  return output;
}

function openBundles(): Bundles {
  const options = bundleOptions({ folder, lastGoodFolder: join(root, "state") });
  return createBundles({
    options,
    clock: systemClock,
    logger: silentLogger,
    meter: silentMeter,
    health: silentHealth,
    prepare: createPrepareInWorker(options.prepareTimeoutMs),
    load: (prepared) =>
      loadPolicy(prepared, {
        yieldToLoop: () => new Promise((resolve) => setImmediate(resolve)),
        chunkBytes: 512 * KiB,
        keptBytesMax: 16 * MiB,
      }),
    catalogueFor: () => undefined,
    hostData: (application) => ({ application }),
  });
}

const kept = { text: () => '{"permissions":{"read","write"}}' };
const input = '{"action":"read","resource":"resource-77"}';
let evaluations = 0;
let errors = 0;
let turnMaxMicroseconds = 0;

/** One turn of the loop: evaluations, then whatever else waits. */
async function turn(bundles: Bundles): Promise<string | undefined> {
  const active = bundles.policies.get("authz")!;
  const before = process.threadCpuUsage();
  for (let count = 0; count < EVALUATIONS_PER_TURN; count++) {
    const nowNs = systemClock.wallNs();
    const result = active.policy.evaluate({ entrypoint: 0, input, kept, nowNs });
    const isRight =
      result.kind === "value" && (result.value as { allow?: unknown } | null)?.allow === true;
    if (!isRight) errors += 1;
    evaluations += 1;
  }
  await new Promise((resolve) => setImmediate(resolve));
  // The thread's own time, which other processes on the machine don't add to as they do to delays.
  const { user, system } = process.threadCpuUsage(before);
  turnMaxMicroseconds = Math.max(turnMaxMicroseconds, user + system);
  return active.revision;
}

type DelayHistogram = ReturnType<typeof monitorEventLoopDelay>;

function row(name: string, elapsed: string, delay: DelayHistogram): string[] {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const delays = [ms(delay.percentile(99) / NS_PER_MS), ms(delay.max / NS_PER_MS)];
  const turn = ms(turnMaxMicroseconds / 1_000);
  return [name, elapsed, ...delays, turn, String(evaluations), String(errors)];
}

const paths: string[] = [];
for (let index = 0; index <= reloads; index++) paths.push(await build(`r${index}`));
await rename(paths[0]!, join(folder, "authz.tar.gz"));
const bundles = openBundles();
await bundles.start();
if (bundles.policies.get("authz") === undefined) throw new Error(bundles.list()[0]?.error);

const rows = [
  [
    "reload",
    "to activation",
    "loop delay p99",
    "max",
    "longest turn (CPU)",
    "evaluations",
    "errors",
  ],
];
const idle = monitorEventLoopDelay({ resolution: 1 });
idle.enable();
for (const end = performance.now() + 2_000; performance.now() < end; ) await turn(bundles);
idle.disable();
rows.push(row("none (2 s)", "-", idle));

for (let index = 1; index <= reloads; index++) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  evaluations = 0;
  errors = 0;
  turnMaxMicroseconds = 0;
  await rename(paths[index]!, join(folder, "authz.tar.gz"));
  const start = performance.now();
  delay.enable();
  while ((await turn(bundles)) !== `r${index}`);
  const elapsed = performance.now() - start;
  for (const end = performance.now() + 500; performance.now() < end; ) await turn(bundles);
  delay.disable();
  rows.push(row(`r${index}`, `${Math.round(elapsed)} ms`, delay));
}
printTable(rows);
await bundles.close();
await rm(root, { recursive: true });
