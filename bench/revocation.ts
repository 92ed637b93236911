/**
 * How long a revocation takes to be in force: three sidecars, one PostgreSQL, one Redis, all real
 * processes, with 2,000 checks a second going on; a tenth of them are read here, and must allow.
 * Each trial takes a permission away as `postern directory apply` does, and asks all three sidecars
 * until each denies; and once more after the bound. The clock starts when the write is acknowledged;
 * an allow to a request that was sent more than a second after that is a wrong one.
 *
 *   node bench/revocation.ts [trials]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { openAnnouncingDirectory } from "../src/announcing-directory.ts";
import { loadConfig } from "../src/config/load-config.ts";
import type { Directory } from "../src/directory/directory.ts";
import { freePort } from "../test/support/free-port.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { type AskedSidecar, askSidecar } from "./support/asked-sidecar.ts";
import {
  type ChecksSeen,
  checksBesideFile,
  startChecksBeside,
  warmUpChecks,
} from "./support/checks-beside.ts";
import { percentile, printTable } from "./support/figures.ts";
import { startPostern } from "./support/postern.ts";
import { requireTool } from "./support/processes.ts";
import { startBenchRedis } from "./support/redis.ts";
import { createStops } from "./support/stops.ts";

/** Free ones: another benchmark may be running. */
const PORTS = [await freePort(), await freePort(), await freePort()];
const DIAGNOSTICS_PORTS = [await freePort(), await freePort(), await freePort()];
const CHECKS_PER_SECOND = 2_000;
const PERMISSION = "compliance:report";
/** Subjects that are given the permission at once, and lose it one by one. */
const ROUND = 100;
const BOUND_MS = 1_000;
/** A sidecar that still allows then is broken, and the run with it. */
const GIVE_UP_MS = 60_000;
const SHARES = [0.5, 0.99, 0.999, 1];
/** Between timers that tell how busy this process and its machine are. */
const TURN_MS = 1;

const trials = Number(process.argv[2] ?? 10_000);
/** Changes that Redis did not take in time: sidecars find them at their next look. */
let unannounced = 0;
const stops = createStops();
const folder = mkdtempSync(join(tmpdir(), "postern-bench-revocation-"));
stops.push(() => rmSync(folder, { recursive: true }));
try {
  requireTool("h2load", "apt-get install nghttp2-client");
  await main();
} finally {
  await stops.all();
}

async function main(): Promise<void> {
  const postgres = await startPostgres();
  stops.push(() => postgres.dispose());
  const redis = await startBenchRedis(true);
  stops.push(redis.stop);
  const database = await postgres.createDatabase();
  const shared = { database, redis: redis.url, onAnyCore: true };
  const configs: string[] = [];
  for (const [index, port] of PORTS.entries()) {
    const sidecar = await startPostern({
      ...{ port, ...shared, diagnosticsPort: DIAGNOSTICS_PORTS[index]! },
      ...(index === 0 && { directory: checksBesideFile() }),
    });
    stops.push(sidecar.stop);
    configs.push(sidecar.config);
  }
  const directory = await openWriter(configs[0]!);
  stops.push(() => directory.close());
  const failures = new Map<string, number>();
  const sidecars = PORTS.map((port) => askSidecar(port, failures));
  stops.push(() => {
    for (const sidecar of sidecars) sidecar.close();
  });
  await measure({ directory, sidecars, seen: { ...nothingSeen(), failures } });
}

/** What `postern directory apply` opens. */
function openWriter(file: string): Promise<Directory> {
  const { config } = loadConfig({ file, env: {} });
  return openAnnouncingDirectory({
    config,
    unannounced: () => {
      unannounced += 1;
    },
  });
}

interface Trials {
  readonly directory: Directory;
  readonly sidecars: readonly AskedSidecar[];
  readonly seen: Seen;
}

interface Seen {
  /** Of each sidecar in each trial: from the acknowledgement to the first deny. */
  readonly denyMs: number[];
  readonly writeMs: number[];
  /** Questions that were not answered, and asked again, by reason. */
  readonly failures: Map<string, number>;
  wrongAllows: number;
  /** Denials seen again after the bound. */
  confirmed: number;
}

function nothingSeen(): Omit<Seen, "failures"> {
  return { denyMs: [], writeMs: [], wrongAllows: 0, confirmed: 0 };
}

async function measure(parts: Trials): Promise<void> {
  await warmUpChecks(PORTS);
  const beside = startChecksBeside({ ports: PORTS, callsPerSecond: CHECKS_PER_SECOND, folder });
  const decidedBefore = await decisions();
  const turns = monitorEventLoopDelay({ resolution: TURN_MS });
  turns.enable();
  const startMs = performance.now();
  /** By subject, when its revocation was acknowledged. By turns, so that few have to be waited for. */
  const revoked = [new Map<string, number>(), new Map<string, number>()] as const;
  for (let done = 0; done < trials; done += ROUND) {
    const turn = (done / ROUND) % 2;
    await confirm(revoked[turn]!, parts);
    const subjects = namesOf(turn, Math.min(ROUND, trials - done));
    await parts.directory.apply(assignments(subjects, {}), { dryRun: false });
    for (const subject of subjects) {
      await Promise.all(parts.sidecars.map((sidecar) => untilAllowed(sidecar, subject)));
      revoked[turn]!.set(subject, await revoke(subject, parts));
    }
  }
  for (const subjects of revoked) await confirm(subjects, parts);
  const elapsedMs = performance.now() - startMs;
  const checks = (await decisions()) - decidedBefore;
  turns.disable();
  const lateMs = SHARES.map((share) => turns.percentile(100 * share) / 1e6 - TURN_MS);
  print(parts.seen, { ...(await beside.stop()), checks, elapsedMs, lateMs });
}

/** Gives when it was acknowledged. */
async function revoke(subject: string, { directory, sidecars, seen }: Trials): Promise<number> {
  const startMs = performance.now();
  await directory.apply(assignments([subject], { remove: true }), { dryRun: false });
  const acknowledgedMs = performance.now();
  seen.writeMs.push(acknowledgedMs - startMs);
  const denials = sidecars.map(async (sidecar) => {
    for (;;) {
      const { allowed, sentMs } = await sidecar.ask(subject, PERMISSION);
      if (!allowed) break;
      if (sentMs - acknowledgedMs > BOUND_MS) seen.wrongAllows += 1;
      if (sentMs - acknowledgedMs > GIVE_UP_MS) throw new Error(`${subject} is still allowed`);
    }
    seen.denyMs.push(performance.now() - acknowledgedMs);
  });
  await Promise.all(denials);
  return acknowledgedMs;
}

/** What was denied once must not be allowed again by a set that came back from somewhere. */
async function confirm(revoked: Map<string, number>, { sidecars, seen }: Trials): Promise<void> {
  const lastMs = Math.max(0, ...revoked.values());
  const leftMs = lastMs + BOUND_MS - performance.now();
  if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs + 1));
  const asked = sidecars.map(async (sidecar) => {
    for (const subject of revoked.keys()) {
      const { allowed } = await sidecar.ask(subject, PERMISSION);
      if (allowed) seen.wrongAllows += 1;
      else seen.confirmed += 1;
    }
  });
  await Promise.all(asked);
  revoked.clear();
}

async function untilAllowed(sidecar: AskedSidecar, subject: string): Promise<void> {
  const endMs = performance.now() + GIVE_UP_MS;
  while (!(await sidecar.ask(subject, PERMISSION)).allowed) {
    if (performance.now() > endMs) throw new Error(`${subject} is never given its permission`);
  }
}

/** Decisions that the sidecars have counted. */
async function decisions(): Promise<number> {
  let sum = 0;
  for (const port of DIAGNOSTICS_PORTS) {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    for (const [, count] of text.matchAll(/^postern_decisions_total\{.*\} (\d+)$/gm)) {
      sum += Number(count);
    }
  }
  return sum;
}

interface Beside extends ChecksSeen {
  /** All that the sidecars have decided, those of the trials included. */
  readonly checks: number;
  readonly elapsedMs: number;
  /** By how much timers of this process were late, at each of the shares. */
  readonly lateMs: readonly number[];
}

function print(seen: Seen, beside: Beside): void {
  const { latenciesMs, failures, denied, checks, elapsedMs, lateMs } = beside;
  const perSecond = checks / (elapsedMs / 1_000);
  const over = (ms: number): string => `${seen.denyMs.filter((one) => one > ms).length}`;
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const cells = (times: readonly number[]): string[] =>
    SHARES.map((share) => ms(percentile(times, share)));
  const say = (line: string): unknown => process.stdout.write(`${line}\n`);
  say(`\n${trials} revocations at ${PORTS.length} sidecars in ${(elapsedMs / 1_000).toFixed(0)} s`);
  printTable([
    ["", "p50", "p99", "p99.9", "max", "> 50 ms", "> 1 s", "wrong allows"],
    [
      ...["from acknowledged to denied", ...cells(seen.denyMs)],
      ...[over(50), over(BOUND_MS), `${seen.wrongAllows}`],
    ],
    ["the write, announced", ...cells(seen.writeMs)],
    ["a check beside them", ...cells(latenciesMs)],
    ["a timer here, late by", ...lateMs.map(ms)],
  ]);
  say(`goal: p99 ≤ 50 ms, max ≤ 1 s, no wrong allow`);
  say(`denials confirmed after the bound: ${seen.confirmed} of ${trials * PORTS.length}`);
  say(`questions of the trials that failed: ${reasons(seen.failures)}`);
  say(`changes that were not announced: ${unannounced}`);
  say(`${perSecond.toFixed(0)} checks/s in all, those of the trials included`);
  say(
    `of ${latenciesMs.length} read beside them ${denied} were denied wrongly; failed: ${reasons(failures)}`,
  );
}

function reasons(failures: ReadonlyMap<string, number>): string {
  const list = [...failures].map(([reason, count]) => `${count} × ${reason}`);
  return list.length === 0 ? "none" : list.join("; ");
}

function namesOf(turn: number, length: number): string[] {
  return Array.from({ length }, (_, index) => `trial-${turn}-${index}`);
}

/** Gives each subject the one permission that is asked about, or takes it away. */
function assignments(subjects: readonly string[], how: { readonly remove?: true }) {
  const terms = how.remove ? how : { grantedBy: "bench", reason: "trial" };
  const permissions = [PERMISSION];
  const list = subjects.map((subject) => ({ subject, permissions, ...terms }));
  const file = {
    ...(how.remove ? {} : { subjects: subjects.map((id) => ({ id })) }),
    applications: { platform: { assignments: list } },
  };
  return { name: "trial", text: JSON.stringify(file) };
}
