/**
 * How long a new file of routes holds up the thread that serves: the table in force is replaced again
 * and again by one of as many routes, and beside each reload the same time is watched without one, since
 * the machine's own delays drift. The reading thread, and whatever else runs here, delays turns by the
 * clock; a turn's CPU time is the thread's own.
 *
 *   node bench/routes.ts [routes] [reloads]
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Create } from "typebox/value";
import { systemClock } from "../src/base/clock.ts";
import { silentLogger } from "../src/base/logger.ts";
import { type PipelineOptions, pipelineOptionsSchema } from "../src/pipeline/options.ts";
import { serveRoutes } from "../src/serving-routes.ts";
import { readRoutesInWorker } from "../src/start-routes-worker.ts";
import { notingMeter } from "../test/support/noting-meter.ts";
import { printTable } from "./support/figures.ts";

const NS_PER_MS = 1e6;
const AFTERWARDS_MS = 100;

const count = Number(process.argv[2] ?? 10_000);
const reloads = Number(process.argv[3] ?? 5);
const folder = mkdtempSync(join(tmpdir(), "postern-bench-routes-"));
const file = join(folder, "routes.yaml");

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  let activated = (): void => {};
  for (let reload = 0; reload <= reloads; reload += 1) write(reload);
  install(0);
  const routes = await serveRoutes({
    options: { application: "platform", routesFile: file, subject: [], routes: [] },
    trust: (Create(pipelineOptionsSchema) as PipelineOptions).trust,
    ...{ clock: systemClock, logger: silentLogger, meter: notingMeter().meter },
    health: { set: (_, state) => state === "ok" && activated() },
    readRoutes: readRoutesInWorker,
  });
  const takeTurns = watchTurns();
  const rows: string[][] = [];
  for (let reload = 1; reload <= reloads; reload += 1) {
    takeTurns();
    const startMs = performance.now();
    const inForce = new Promise<void>((resolve) => {
      activated = resolve;
    });
    install(reload);
    await inForce;
    const elapsedMs = performance.now() - startMs;
    // The turn in which it came into force is over.
    await sleep(AFTERWARDS_MS);
    rows.push([`r${reload}`, `${elapsedMs.toFixed(0)} ms`, ...takeTurns()]);
    await sleep(elapsedMs);
    rows.push(["none", "", ...takeTurns()]);
  }
  await routes.close();
  process.stdout.write(`\nReloads of ${count} routes\n`);
  printTable([["reload", "in force after", "turn's CPU max", "loop delay p99", "max"], ...rows]);
}

/** Gives what was seen since it was called last. */
function watchTurns(): () => string[] {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let cpuMaxMs = 0;
  let before = process.threadCpuUsage();
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(before);
    cpuMaxMs = Math.max(cpuMaxMs, (user + system) / 1_000);
    before = process.threadCpuUsage();
  };
  setInterval(look, 1).unref();
  return () => {
    look();
    const seen = [cpuMaxMs, delay.percentile(99) / NS_PER_MS, delay.max / NS_PER_MS];
    delay.reset();
    cpuMaxMs = 0;
    return seen.map((ms) => `${ms.toFixed(1)} ms`);
  };
}

/** As a deployment replaces a file. */
function install(reload: number): void {
  renameSync(`${file}.${reload}`, file);
}

function write(reload: number): void {
  const methods = ["GET", "POST", "PUT", "DELETE"];
  const routes = Array.from({ length: count }, (_, index) => {
    const path = `/api/v1/group${index % 97}/thing-${index >> 2}/{id}/items/{item}`;
    const resource = "{ id: path/id, owner: header/x-owner, classification: body/class }";
    const rest = `permission: "agent:r${reload}", resource: ${resource}`;
    return `  - { route: "${methods[index % 4]} ${path}", ${rest} }\n`;
  });
  const text = `subject: [{ from: header/x-user }]\nroutes:\n${routes.join("")}`;
  writeFileSync(`${file}.${reload}`, text);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
