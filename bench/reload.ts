/**
 * Whether a bundle with 5 MB of data comes into force without holding up who is served: a real
 * server on one core, calls through its gRPC port from the other at a third of what it can answer,
 * and bundles renamed into its folder one after another. Before each reload the same is measured
 * without one, since the machine's own delays drift. The preparing thread and the garbage collector's
 * share the server's core, so a delay by the clock may be many times the CPU time of a turn.
 *
 *   node bench/reload.ts [megabytes of data] [reloads]
 */
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { buildBundle } from "../src/bundle/build-bundle.ts";
import { CheckRequestSchema, CheckResponseSchema } from "../src/grpc/gen/postern/v1/decision_pb.js";
import { percentile, printTable } from "./support/figures.ts";
import { grpcFrame, grpcHeaders, h2load } from "./support/h2load.ts";
import { startPostern } from "./support/postern.ts";
import { moveToLoadCore, requireTool } from "./support/processes.ts";
import { TURNS_SOCKET, type Turns } from "./support/report-turns.ts";
import { startSteadyLoad } from "./support/steady-load.ts";

const CHECK = "/postern.v1.DecisionService/Check";
const PORT = 19_591;
const SUBJECTS = 1_000;
/** Share of the rate that the server can answer. */
const LOAD_SHARE = 1 / 3;
const WINDOW_MS = 3_000;
/** What goes on after the swap, such as parsing permission sets for the new policy. */
const AFTERWARDS_MS = 1_000;
const ACTIVATION_TIMEOUT_MS = 30_000;

const megabytes = Number(process.argv[2] ?? 5);
const reloads = Number(process.argv[3] ?? 5);
const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "postern-bench-reload-"));
const bundles = join(folder, "bundles");
const turnsSocket = join(folder, "turns.sock");

try {
  requireTool("h2load", "apt-get install nghttp2-client");
  requireTool("opa", "go install github.com/open-policy-agent/opa@v1.22.2");
  moveToLoadCore();
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const paths: string[] = [];
  for (let index = 0; index <= reloads; index += 1) paths.push(await build(`r${index}`));
  mkdirSync(bundles);
  install(paths[0]!);
  const preload = `--import=${join(import.meta.dirname, "support/report-turns.ts")}`;
  const server = await startPostern({
    port: PORT,
    directory: directoryFile(),
    bundles,
    env: { NODE_OPTIONS: preload, [TURNS_SOCKET]: turnsSocket },
  });
  try {
    await measure(paths);
  } finally {
    await server.stop();
  }
}

/** What was seen in one window. */
interface Seen {
  latenciesMs: number[];
  errors: number;
  /** Of the last answer. */
  revision: string;
}

async function measure(paths: readonly string[]): Promise<void> {
  const messages = Array.from({ length: SUBJECTS }, (_, index) => checkRequest(index));
  const callsPerSecond = Math.round(maximumRate(messages[0]!) * LOAD_SHARE);
  let seen: Seen = { latenciesMs: [], errors: 0, revision: "" };
  const load = startSteadyLoad({
    ...{ port: PORT, path: CHECK, messages, callsPerSecond },
    onAnswer: (answer, ms) => {
      const bytes = Buffer.isBuffer(answer) ? answer : new Uint8Array();
      const { allowed, revision } = fromBinary(CheckResponseSchema, bytes);
      if (!allowed) seen.errors += 1;
      seen.latenciesMs.push(ms);
      seen.revision = revision;
    },
  });
  await sleep(WINDOW_MS);
  const rows: Row[] = [];
  const window = async (name: string, until: () => Promise<string>): Promise<void> => {
    await takeTurns();
    seen = { latenciesMs: [], errors: 0, revision: "" };
    const elapsed = await until();
    rows.push({ name, elapsed, ...seen, ...(await takeTurns()) });
  };
  for (const [index, path] of paths.entries()) {
    if (index === 0) continue;
    await window("none", async () => {
      await sleep(WINDOW_MS);
      return "";
    });
    await window(`r${index}`, async () => {
      const startMs = performance.now();
      install(path);
      while (seen.revision !== `r${index}`) {
        if (performance.now() - startMs > ACTIVATION_TIMEOUT_MS) {
          throw new Error(`r${index} isn't in force after ${ACTIVATION_TIMEOUT_MS} ms`);
        }
        await sleep(5);
      }
      const elapsedMs = performance.now() - startMs;
      await sleep(AFTERWARDS_MS);
      return `${elapsedMs.toFixed(0)} ms`;
    });
  }
  await load.stop();
  print(rows, callsPerSecond);
}

interface Row extends Seen, Turns {
  readonly name: string;
  readonly elapsed: string;
}

function print(rows: readonly Row[], callsPerSecond: number): void {
  process.stdout.write(
    `\nReloads with ${megabytes} MB of data under ${callsPerSecond} calls/s (${SUBJECTS} subjects)\n`,
  );
  const groups = [
    ...rows,
    merged(
      "all without",
      rows.filter(({ elapsed }) => elapsed === ""),
    ),
    merged(
      "all reloads",
      rows.filter(({ elapsed }) => elapsed !== ""),
    ),
  ];
  const head = ["reload", "in force after", "calls", "errors"];
  const figures = ["loop delay p99", "max", "turn's CPU max", "latency p50", "p99", "max"];
  printTable([[...head, ...figures], ...groups.map(cells)]);
}

function merged(name: string, rows: readonly Row[]): Row {
  const most = (figure: "delayP99Ms" | "delayMaxMs" | "cpuMaxMs"): number =>
    Math.max(...rows.map((row) => row[figure]));
  return {
    ...{ name, elapsed: "", revision: "" },
    errors: rows.reduce((sum, { errors }) => sum + errors, 0),
    latenciesMs: rows.flatMap(({ latenciesMs }) => latenciesMs),
    delayP99Ms: most("delayP99Ms"),
    delayMaxMs: most("delayMaxMs"),
    cpuMaxMs: most("cpuMaxMs"),
  };
}

function cells({ name, elapsed, errors, latenciesMs, ...turns }: Row): string[] {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  return [
    ...[name, elapsed, String(latenciesMs.length), String(errors)],
    ...[turns.delayP99Ms, turns.delayMaxMs, turns.cpuMaxMs].map(ms),
    ...[0.5, 0.99, 1].map((share) => ms(percentile(latenciesMs, share))),
  ];
}

/** Calls per second that the server can answer. */
function maximumRate(message: Uint8Array): number {
  const bodyPath = join(folder, "request.bin");
  writeFileSync(bodyPath, grpcFrame(message));
  const url = `http://127.0.0.1:${PORT}${CHECK}`;
  const run = { url, bodyPath, headers: grpcHeaders };
  h2load({ ...run, requests: 20_000 });
  return h2load({ ...run, requests: 20_000 }).requestsPerSecond;
}

async function takeTurns(): Promise<Turns> {
  return new Promise((resolve, reject) => {
    request({ socketPath: turnsSocket }, (response) => {
      text(response).then((body) => resolve(JSON.parse(body)), reject);
    })
      .on("error", reject)
      .end();
  });
}

function install(path: string): void {
  renameSync(path, join(bundles, "platform.tar.gz"));
}

/** The policy that ships, with data beside it. */
async function build(revision: string): Promise<string> {
  const source = join(folder, "source");
  cpSync(join(root, "policies/platform"), source, { recursive: true });
  const owners: Record<string, { team: string; tags: string[] }> = {};
  for (let id = 0; JSON.stringify(owners).length < megabytes * 1e6; ) {
    for (const end = id + 2_000; id < end; id += 1) {
      owners[`resource-${id}`] = { team: `team-${id % 97}`, tags: [`t${id % 7}`, `u${id % 11}`] };
    }
  }
  writeFileSync(join(source, "data.json"), JSON.stringify({ owners }));
  const metadata = { postern: { entrypoint: "platform/decision" } };
  const manifest = JSON.stringify({ roots: ["platform", "owners"], metadata });
  writeFileSync(join(source, ".manifest"), manifest);
  const output = join(folder, `${revision}.tar.gz`);
  await buildBundle({ source, output, revision });
  return output;
}

function subjectId(index: number): string {
  return `bench-${String(index).padStart(5, "0")}`;
}

function checkRequest(index: number): Uint8Array {
  const message = create(CheckRequestSchema, {
    subject: { id: subjectId(index) },
    action: { name: "execute" },
    resource: { type: "agent", id: "agent-7" },
    context: { ip: "10.1.2.3", userAgent: "bench/1" },
  });
  return toBinary(CheckRequestSchema, message);
}

function directoryFile(): string {
  const subjects = Array.from(
    { length: SUBJECTS },
    (_, index) => `  - { id: ${subjectId(index)}, groups: [llm-platform/developers] }`,
  );
  return `subjects:\n${subjects.join("\n")}\n`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
