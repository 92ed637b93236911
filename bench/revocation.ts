/**
 * How long a revocation takes to be in force: three sidecars, one PostgreSQL, one Redis, all real
 * processes, with 2,000 checks a second going on; a tenth of them are read here, and must allow.
 * Each trial takes a permission away as
 * `postern directory apply` does, and asks all three sidecars until each denies. The clock starts
 * when the write is acknowledged; an allow to a request that was sent more than a second after that
 * is a wrong one.
 *
 *   node bench/revocation.ts [trials]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { openAnnouncingDirectory } from "../src/announcing-directory.ts";
import { systemClock } from "../src/base/clock.ts";
import { silentHealth } from "../src/base/health.ts";
import { silentLogger } from "../src/base/logger.ts";
import { silentMeter } from "../src/base/meter.ts";
import { loadConfig } from "../src/config/load-config.ts";
import type { Directory } from "../src/directory/directory.ts";
import { CheckRequestSchema, CheckResponseSchema } from "../src/grpc/gen/postern/v1/decision_pb.js";
import { startPostgres } from "../test/support/postgres.ts";
import { percentile, printTable } from "./support/figures.ts";
import { grpcCall } from "./support/grpc-call.ts";
import { grpcFrame, grpcHeaders, startH2load } from "./support/h2load.ts";
import { runVariedLoad } from "./support/load-client.ts";
import { startPostern } from "./support/postern.ts";
import { requireTool } from "./support/processes.ts";
import { startBenchRedis } from "./support/redis.ts";
import { startSteadyLoad } from "./support/steady-load.ts";

const CHECK = "/postern.v1.DecisionService/Check";
const PORTS = [19_691, 19_692, 19_693];
const REDIS_PORT = 19_694;
const DIAGNOSTICS_PORTS = [19_695, 19_696, 19_697];
const CHECKS_PER_SECOND = 2_000;
/** The rest is h2load's, which costs a fraction of what reading answers here does. */
const READ_PER_SECOND = 200;
const BACKGROUND_SUBJECTS = 1_000;
/** Subjects that are given the permission at once, and lose it one by one. */
const ROUND = 100;
const BOUND_MS = 1_000;
/** A sidecar that still allows then is broken, and the run with it. */
const GIVE_UP_MS = 60_000;
const WARM_UP_ROUNDS_MAX = 20;

const backgroundMessages = Array.from({ length: BACKGROUND_SUBJECTS }, (_, index) =>
  question(`bench-${index}`, "agent:execute"),
);

const trials = Number(process.argv[2] ?? 10_000);
/** Changes that Redis did not take in time: sidecars find them at their next look. */
let unannounced = 0;
const stops: (() => Promise<void>)[] = [];
const folder = mkdtempSync(join(tmpdir(), "postern-bench-revocation-"));
try {
  requireTool("h2load", "apt-get install nghttp2-client");
  await main();
} finally {
  for (const stop of stops.reverse()) await stop();
  rmSync(folder, { recursive: true });
}

async function main(): Promise<void> {
  const postgres = await startPostgres();
  stops.push(() => postgres.dispose());
  const redis = await startBenchRedis(REDIS_PORT, true);
  stops.push(redis.stop);
  const database = await postgres.createDatabase();
  const shared = { database, redis: redis.url, onAnyCore: true };
  const configs: string[] = [];
  for (const [index, port] of PORTS.entries()) {
    const sidecar = await startPostern({
      ...{ port, ...shared, diagnosticsPort: DIAGNOSTICS_PORTS[index]! },
      ...(index === 0 && { directory: backgroundFile() }),
    });
    stops.push(sidecar.stop);
    configs.push(sidecar.config);
  }
  const directory = await openWriter(configs[0]!);
  stops.push(() => directory.close());
  const sidecars = PORTS.map(askerOf);
  stops.push(async () => {
    for (const sidecar of sidecars) sidecar.close();
  });
  await measure(directory, sidecars);
}

/** What `postern directory apply` opens. */
function openWriter(file: string): Promise<Directory> {
  const { config } = loadConfig({ file, env: {} });
  return openAnnouncingDirectory({
    config,
    clock: systemClock,
    logger: silentLogger,
    meter: silentMeter,
    health: silentHealth,
    unannounced: () => {
      unannounced += 1;
    },
  });
}

type Asker = ReturnType<typeof askerOf>;

function askerOf(port: number) {
  const session = connect(`http://127.0.0.1:${port}`);
  return {
    async allows(subject: string): Promise<boolean> {
      const answer = await grpcCall(
        session,
        CHECK,
        grpcFrame(question(subject, "compliance:report")),
      );
      if (answer === undefined) throw new Error(`the sidecar at ${port} gave no answer`);
      return fromBinary(CheckResponseSchema, answer).allowed;
    },
    close: () => session.close(),
  };
}

interface Seen {
  /** Of each sidecar in each trial: from the acknowledgement to the first deny. */
  readonly denyMs: number[];
  readonly writeMs: number[];
  wrongAllows: number;
}

async function measure(directory: Directory, sidecars: readonly Asker[]): Promise<void> {
  await warmUp();
  const background = startBackground();
  const seen: Seen = { denyMs: [], writeMs: [], wrongAllows: 0 };
  const decidedBefore = await decisions();
  const startMs = performance.now();
  for (let done = 0; done < trials; done += ROUND) {
    const subjects = Array.from({ length: Math.min(ROUND, trials - done) }, (_, i) => `trial-${i}`);
    await directory.apply(assignments(subjects, {}), { dryRun: false });
    for (const subject of subjects) {
      await Promise.all(sidecars.map((sidecar) => until(sidecar, subject, true)));
      await revoke(subject, { directory, sidecars, seen });
    }
  }
  const elapsedMs = performance.now() - startMs;
  const checks = (await decisions()) - decidedBefore;
  print(seen, { ...(await background.stop()), checks, elapsedMs });
}

async function revoke(
  subject: string,
  { directory, sidecars, seen }: { directory: Directory; sidecars: readonly Asker[]; seen: Seen },
): Promise<void> {
  const startMs = performance.now();
  await directory.apply(assignments([subject], { remove: true }), { dryRun: false });
  const acknowledgedMs = performance.now();
  seen.writeMs.push(acknowledgedMs - startMs);
  const denials = sidecars.map(async (sidecar) => {
    for (;;) {
      const sentMs = performance.now() - acknowledgedMs;
      if (!(await sidecar.allows(subject))) break;
      if (sentMs > BOUND_MS) seen.wrongAllows += 1;
      if (sentMs > GIVE_UP_MS) throw new Error(`${subject} is still allowed`);
    }
    seen.denyMs.push(performance.now() - acknowledgedMs);
  });
  await Promise.all(denials);
}

async function until(sidecar: Asker, subject: string, allowed: boolean): Promise<void> {
  const endMs = performance.now() + GIVE_UP_MS;
  while ((await sidecar.allows(subject)) !== allowed) {
    if (performance.now() > endMs) throw new Error(`${subject} is never given its permission`);
  }
}

/** Has each sidecar read each subject: a start from nothing is another benchmark's. */
async function warmUp(): Promise<void> {
  const messages = backgroundMessages;
  for (const port of PORTS) {
    let failed = messages.length;
    for (let round = 0; failed > 0; round += 1) {
      if (round === WARM_UP_ROUNDS_MAX) throw new Error(`${failed} calls fail at ${port}`);
      failed = await runVariedLoad({ port, path: CHECK, messages, requests: messages.length });
    }
  }
}

interface Background {
  readonly latenciesMs: number[];
  failed: number;
  denied: number;
}

/** Checks of subjects whose permissions don't change, a third at each sidecar. */
function startBackground(): { stop(): Promise<Background> } {
  const seen: Background = { latenciesMs: [], failed: 0, denied: 0 };
  const messages = backgroundMessages;
  const loads = PORTS.map((port) =>
    startSteadyLoad({
      ...{ port, path: CHECK, messages, callsPerSecond: READ_PER_SECOND / PORTS.length },
      onAnswer(answer, ms) {
        seen.latenciesMs.push(ms);
        if (answer === undefined) seen.failed += 1;
        else if (!fromBinary(CheckResponseSchema, answer).allowed) seen.denied += 1;
      },
    }),
  );
  const bodyPath = join(folder, "check.bin");
  writeFileSync(bodyPath, grpcFrame(messages[0]!));
  const rest = PORTS.map((port) =>
    startH2load(
      { url: `http://127.0.0.1:${port}${CHECK}`, bodyPath, headers: grpcHeaders },
      (CHECKS_PER_SECOND - READ_PER_SECOND) / PORTS.length,
    ),
  );
  return {
    async stop() {
      await Promise.all([...loads, ...rest].map((load) => load.stop()));
      return seen;
    },
  };
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

interface Beside extends Background {
  /** All that the sidecars have decided, those of the trials included. */
  readonly checks: number;
  readonly elapsedMs: number;
}

function print(seen: Seen, { latenciesMs, failed, denied, checks, elapsedMs }: Beside): void {
  const perSecond = checks / (elapsedMs / 1_000);
  const over = (ms: number): string =>
    String(seen.denyMs.filter((one) => one > ms).length).padStart(1);
  process.stdout.write(
    `\n${trials} revocations at ${PORTS.length} sidecars in ${(elapsedMs / 1_000).toFixed(0)} s; ` +
      `${perSecond.toFixed(0)} checks/s in all; ` +
      `of ${latenciesMs.length} that were read, ${failed} failed and ${denied} were denied wrongly\n`,
  );
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const cells = (times: readonly number[]): string[] =>
    [0.5, 0.99, 0.999, 1].map((share) => ms(percentile(times, share)));
  printTable([
    ["", "p50", "p99", "p99.9", "max", "> 50 ms", "> 1 s", "wrong allows"],
    [
      "from acknowledged to denied",
      ...cells(seen.denyMs),
      over(50),
      over(BOUND_MS),
      `${seen.wrongAllows}`,
    ],
    ["the write, announced", ...cells(seen.writeMs)],
    ["a check beside them", ...cells(latenciesMs)],
  ]);
  process.stdout.write(`changes that were not announced: ${unannounced}\n`);
  process.stdout.write("goal: p99 ≤ 50 ms, max ≤ 1 s, no wrong allow\n");
}

function question(subject: string, permission: string): Uint8Array {
  const [type = "", name = ""] = permission.split(":");
  const message = create(CheckRequestSchema, {
    subject: { id: subject },
    action: { name },
    resource: { type },
  });
  return toBinary(CheckRequestSchema, message);
}

/** Gives each subject the one permission that is asked about, or takes it away. */
function assignments(subjects: readonly string[], how: { readonly remove?: true }) {
  const terms = how.remove ? how : { grantedBy: "bench", reason: "trial" };
  const permissions = ["compliance:report"];
  const list = subjects.map((subject) => ({ subject, permissions, ...terms }));
  const file = {
    ...(how.remove ? {} : { subjects: subjects.map((id) => ({ id })) }),
    applications: { platform: { assignments: list } },
  };
  return { name: "trial", text: JSON.stringify(file) };
}

function backgroundFile(): string {
  const subjects = Array.from(
    { length: BACKGROUND_SUBJECTS },
    (_, index) => `  - { id: bench-${index}, groups: [llm-platform/developers] }`,
  );
  return `subjects:\n${subjects.join("\n")}\n`;
}
