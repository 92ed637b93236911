/**
 * Measures what a candidate beside the policy in force costs Envoy's checks, and what TLS does, with and
 * without certificates of callers. Contenders run side by side on the servers' core and are measured in
 * turn, in many short rounds; then all are started anew in the reverse order. Ratios are medians of the
 * rounds' ratios to the first. CPU time is that of the whole process, whatever the pace of the load.
 *
 *   node bench/envoy-costs.ts [rounds]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type SecureClientSessionOptions } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientTls, makeTlsFiles } from "../test/support/tls-files.ts";
import { buildEnvoyBundle, CHECK, checkRequest } from "./support/envoy-world.ts";
import { median, printTable } from "./support/figures.ts";
import { grpcCall } from "./support/grpc-call.ts";
import { grpcFrame, grpcHeaders, h2load } from "./support/h2load.ts";
import { runVariedLoad } from "./support/load-client.ts";
import { startPostern } from "./support/postern.ts";
import { type BenchServer, moveToLoadCore, requireTool } from "./support/processes.ts";
import { createStops } from "./support/stops.ts";

const PORTS = [19_195, 19_196, 19_197];
const DIAGNOSTICS_PORT = 19_295;
const CHECKS = 8_000;
const CALLS = 3_000;
const CONNECTIONS = 200;
const CONNECTING_AT_ONCE = 8;
const WARM_UPS = 2;
const LOADED_WITHIN_MS = 30_000;

const rounds = Number(process.argv[2] ?? 6);
const folder = mkdtempSync(join(tmpdir(), "postern-bench-costs-"));
const stops = createStops();
stops.push(() => rmSync(folder, { recursive: true, force: true }));

/** Settings of a server by environment, and what its clients do for TLS. */
interface Contender {
  readonly env?: Readonly<Record<string, string>>;
  readonly tls?: SecureClientSessionOptions;
  readonly diagnosticsPort?: number;
}

type Contenders = Readonly<Record<string, Contender>>;

/** Offers load to a server, and gives how many requests it was. */
type Offer = (server: BenchServer, contender: Contender) => Promise<number>;

/** What a round came to. */
interface Round {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

try {
  requireTool("h2load", "apt-get install nghttp2-client");
  moveToLoadCore();
  await main();
} finally {
  await stops.all();
}

async function main(): Promise<void> {
  const bundles = join(folder, "bundles");
  const candidates = join(folder, "candidates");
  buildEnvoyBundle(join(folder, "sources"), bundles);
  buildEnvoyBundle(join(folder, "candidate"), candidates, { candidate: true });
  writeFileSync(join(folder, "check.bin"), grpcFrame(checkRequest("user-4711")));

  process.stdout.write(`\nA candidate of the same policy, ${CHECKS} checks a round\n`);
  const candidate = {
    env: { POSTERN_BUNDLE_CANDIDATES_FOLDER: candidates },
    diagnosticsPort: DIAGNOSTICS_PORT,
  };
  await compare({ without: {}, "with candidate": candidate }, offerChecks);

  const files = makeTlsFiles(folder);
  const { ca, ...own } = clientTls(files);
  const tls = {
    POSTERN_GRPC_TLS_CERTIFICATE_FILE: files.certificate,
    POSTERN_GRPC_TLS_KEY_FILE: files.key,
  };
  const mtls = { ...tls, POSTERN_GRPC_TLS_CLIENT_CA_FILE: files.ca };
  const doors = {
    plain: {},
    TLS: { env: tls, tls: { ca } },
    mTLS: { env: mtls, tls: { ca, ...own } },
  };
  process.stdout.write(`\nTLS, ${CALLS} checks a round over 8 new connections\n`);
  await compare(doors, offerCalls);
  process.stdout.write(`\nTLS, ${CONNECTIONS} connections a round, a check over each\n`);
  await compare(doors, offerConnections);

  async function compare(contenders: Contenders, offer: Offer): Promise<void> {
    const results = new Map<string, Round[]>(Object.keys(contenders).map((name) => [name, []]));
    const entries = Object.entries(contenders);
    for (const order of [entries, entries.toReversed()]) {
      const running: { name: string; server: BenchServer; contender: Contender }[] = [];
      for (const [name, contender] of order) {
        const server = await started(contender, PORTS[running.length]!, bundles);
        running.push({ name, server, contender });
      }
      for (let round = -WARM_UPS; round < rounds; round += 1) {
        for (const { name, server, contender } of running) {
          const figures = await measured(server, () => offer(server, contender));
          if (round >= 0) results.get(name)!.push(figures);
        }
      }
      for (const { server, contender } of running) {
        if (contender.diagnosticsPort !== undefined) await printEvaluations();
        await server.stop();
      }
    }
    printResults(results);
  }
}

async function started(
  { env = {}, tls, diagnosticsPort }: Contender,
  port: number,
  bundles: string,
): Promise<BenchServer> {
  const listen = tls === undefined ? {} : { POSTERN_GRPC_LISTEN: `tls://127.0.0.1:${port}` };
  const diagnostics = diagnosticsPort === undefined ? {} : { diagnosticsPort };
  const server = await startPostern({ port, bundles, env: { ...env, ...listen }, ...diagnostics });
  stops.push(server.stop);
  if (diagnosticsPort !== undefined) await untilLoaded();
  return server;
}

async function measured(server: BenchServer, offer: () => Promise<number>): Promise<Round> {
  const cpuMs = server.cpuMs();
  const startMs = performance.now();
  const requests = await offer();
  const tookMs = performance.now() - startMs;
  return {
    perSecond: (requests * 1_000) / tookMs,
    cpuMicroseconds: ((server.cpuMs() - cpuMs) * 1_000) / requests,
  };
}

async function offerChecks({ port }: BenchServer): Promise<number> {
  const bodyPath = join(folder, "check.bin");
  const url = `http://127.0.0.1:${port}${CHECK}`;
  h2load({ url, bodyPath, headers: grpcHeaders, requests: CHECKS });
  return CHECKS;
}

async function offerCalls({ port }: BenchServer, { tls }: Contender): Promise<number> {
  const messages = [checkRequest("user-4711")];
  const failed = await runVariedLoad({ port, path: CHECK, messages, requests: CALLS, tls });
  if (failed > 0) throw new Error(`${failed} calls failed`);
  return CALLS;
}

async function offerConnections({ port }: BenchServer, { tls }: Contender): Promise<number> {
  const frame = grpcFrame(checkRequest("user-4711"));
  const url = `${tls === undefined ? "http" : "https"}://localhost:${port}`;
  let left = CONNECTIONS;
  const lanes = Array.from({ length: CONNECTING_AT_ONCE }, async () => {
    while (left > 0) {
      left -= 1;
      const session = connect(url, tls);
      const answer = await grpcCall(session, CHECK, frame);
      if (!Buffer.isBuffer(answer)) throw new Error(answer.failure);
      await new Promise<void>((resolve) => session.close(resolve));
    }
  });
  await Promise.all(lanes);
  return CONNECTIONS;
}

/** Of the server that is running; a connection of the one before would still be kept. */
async function metrics(): Promise<string> {
  const url = `http://127.0.0.1:${DIAGNOSTICS_PORT}/metrics`;
  return (await fetch(url, { headers: { connection: "close" } })).text();
}

async function untilLoaded(): Promise<void> {
  const end = performance.now() + LOADED_WITHIN_MS;
  while (!/^postern_shadow_memory_bytes\{.*\} [1-9]/m.test(await metrics())) {
    if (performance.now() > end) throw new Error("the candidate is not loaded");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whoever drops everything, or fails, would be cheap for the wrong reason. */
async function printEvaluations(): Promise<void> {
  const found = (await metrics()).matchAll(
    /^postern_shadow_evaluations_total\{.*result="(\w+)"\} (\d+)/gm,
  );
  const counts = Object.fromEntries([...found].map(([, result, count]) => [result, Number(count)]));
  if (counts["same"] === undefined) throw new Error("the candidate was not evaluated");
  process.stdout.write(`evaluations: ${JSON.stringify(counts)}\n`);
}

function printResults(results: ReadonlyMap<string, readonly Round[]>): void {
  const [first] = results.values();
  const ratio = (own: readonly Round[], of: keyof Round) =>
    median(own.map((round, index) => round[of] / first![index]![of])).toFixed(2);
  printTable([
    ["", "requests/s", "to the first", "CPU each", "to the first"],
    ...[...results].map(([name, own]) => [
      name,
      median(own.map(({ perSecond }) => perSecond)).toFixed(0),
      `${ratio(own, "perSecond")}×`,
      `${median(own.map(({ cpuMicroseconds }) => cpuMicroseconds)).toFixed(0)} µs`,
      `${ratio(own, "cpuMicroseconds")}×`,
    ]),
  ]);
}
