/**
 * Measures `Check` on the wire: throughput against a bare grpc-js echo of the same bytes, Cerbos
 * and `opa run --server`, each alone on one core with the load on the other; and what 10,000
 * subjects cost in memory. The servers take turns in many short rounds, and a ratio is the median
 * of the rounds' ratios, since the machine's own speed drifts within seconds.
 *
 *   node bench/grpc.ts [rounds]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { CheckRequestSchema, DecisionService } from "../src/grpc/gen/postern/v1/decision_pb.js";
import { createGrpcClient } from "../test/support/grpc-client.ts";
import { printTable } from "./support/figures.ts";
import { grpcFrame, grpcHeaders, type Load } from "./support/h2load.ts";
import { compareInTurn } from "./support/in-turn.ts";
import { runVariedLoad } from "./support/load-client.ts";
import { cerbosRequest, startCerbos, startPlatformOpa } from "./support/peers.ts";
import { startPostern } from "./support/postern.ts";
import { type BenchServer, moveToLoadCore, requireTool, startServer } from "./support/processes.ts";

const CHECK = "/postern.v1.DecisionService/Check";
const CERBOS_CHECK = "/cerbos.svc.v1.CerbosService/CheckResources";
const SUBJECTS = 10_000;
const MEMORY_REQUESTS = 200_000;
const MiB = 1024 * 1024;

const rounds = Number(process.argv[2] ?? 15);
const folder = mkdtempSync(join(tmpdir(), "postern-bench-grpc-"));
const servers: BenchServer[] = [];

try {
  requireTool("h2load", "apt-get install nghttp2-client");
  requireTool("opa", "go install github.com/open-policy-agent/opa@v1.22.2");
  moveToLoadCore();
  await main();
} finally {
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const postern = await started(startPostern({ port: 19_191, directory: directoryFile() }));
  const client = createGrpcClient(`127.0.0.1:${postern.port}`);
  const request = checkRequest(0);
  const response = await client.raw(CHECK, request);
  const { effectivePermissions } = await client.call(DecisionService.method.getPermissionSet, {
    subject: { id: subjectId(0) },
  });
  client.close();

  writeFileSync(join(folder, "response.bin"), response);
  const echo = await started(startEcho(19_291));
  const opa = await started(startPlatformOpa(19_391, folder));
  const cerbos = await started(startCerbos(19_491, folder));

  const loads: Record<string, Load> = {
    postern: grpcLoad(postern, CHECK, { message: request, requests: 8_000 }),
    echo: grpcLoad(echo, CHECK, { message: request, requests: 8_000 }),
    cerbos: grpcLoad(cerbos, CERBOS_CHECK, {
      message: cerbosRequest(subjectId(0), "developer", "execute"),
      requests: 3_000,
    }),
    "opa run": opaLoad(opa, effectivePermissions),
  };
  await verifyPeers(cerbos, opa);
  process.stdout.write(`\nThroughput of Check, one core each, medians of ${rounds} rounds\n`);
  compareInTurn(loads, rounds);
  await measureMemory(postern, echo);
}

async function measureMemory(postern: BenchServer, echo: BenchServer): Promise<void> {
  const messages = Array.from({ length: SUBJECTS }, (_, index) => checkRequest(index));
  process.stdout.write(`\nMemory after ${MEMORY_REQUESTS} requests over ${SUBJECTS} subjects\n`);
  const resident: number[] = [];
  for (const server of [postern, echo]) {
    const load = { port: server.port, path: CHECK, messages, requests: MEMORY_REQUESTS };
    const failed = await runVariedLoad(load);
    if (failed > 0) throw new Error(`${failed} calls to ${server.name} failed`);
    resident.push(server.residentBytes() / MiB);
  }
  const [own = 0, bare = 0] = resident;
  printTable([
    ["server", "RSS", "above the echo"],
    ["postern", `${own.toFixed(0)} MiB`, `${(own - bare).toFixed(0)} MiB`],
    ["echo", `${bare.toFixed(0)} MiB`, ""],
  ]);
}

async function started<Server extends BenchServer>(server: Promise<Server>): Promise<Server> {
  const running = await server;
  servers.push(running);
  return running;
}

function startEcho(port: number): Promise<BenchServer> {
  return startServer({
    name: "echo",
    port,
    command: process.execPath,
    args: [
      join(import.meta.dirname, "support/echo-server.ts"),
      String(port),
      join(folder, "response.bin"),
    ],
  });
}

function grpcLoad(
  server: BenchServer,
  path: string,
  { message, requests }: { message: Uint8Array; requests: number },
): Load {
  const bodyPath = join(folder, `${server.name}.bin`);
  writeFileSync(bodyPath, grpcFrame(message));
  return {
    url: `http://127.0.0.1:${server.port}${path}`,
    bodyPath,
    headers: grpcHeaders,
    requests,
  };
}

/** The question as the policy sees it; sets become objects, which JSON can say. */
function opaLoad(server: BenchServer, permissions: readonly string[]): Load {
  const bodyPath = join(folder, "opa.json");
  const asObject = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, true]));
  const input = {
    user: {
      id: subjectId(0),
      type: "user",
      roles: asObject(["developer", "user"]),
      permissions: asObject(permissions),
      groups: asObject(["llm-platform/developers"]),
      mfaVerified: false,
    },
    resource: "agent",
    action: "execute",
    resource_id: "agent-7",
    context: { ip: "10.1.2.3", userAgent: "bench/1" },
  };
  writeFileSync(bodyPath, JSON.stringify({ input }));
  return {
    url: `http://127.0.0.1:${server.port}/v1/data/platform/decision`,
    bodyPath,
    headers: ["content-type: application/json"],
    requests: 3_000,
    http1: true,
  };
}

/** A peer that says no, or nothing, would be fast for the wrong reason. */
async function verifyPeers(cerbos: BenchServer, opa: BenchServer): Promise<void> {
  const client = createGrpcClient(`127.0.0.1:${cerbos.port}`);
  const allowed = await client.raw(
    CERBOS_CHECK,
    cerbosRequest(subjectId(0), "developer", "execute"),
  );
  const denied = await client.raw(CERBOS_CHECK, cerbosRequest(subjectId(0), "developer", "manage"));
  client.close();
  // The entry of the response's map from action to effect: 1 is allow, 2 is deny.
  if (!allowed.includes("execute\x10\x01") || !denied.includes("manage\x10\x02")) {
    throw new Error("Cerbos doesn't decide as expected");
  }
  const answer = await fetch(`http://127.0.0.1:${opa.port}/v1/data/platform/decision`, {
    method: "POST",
    body: readFileSync(join(folder, "opa.json")),
  });
  const { result } = (await answer.json()) as { result?: { allow?: boolean } };
  if (result?.allow !== true) throw new Error(`OPA doesn't allow: ${JSON.stringify(result)}`);
}

function subjectId(index: number): string {
  return `bench-${String(index).padStart(5, "0")}`;
}

function checkRequest(index: number): Uint8Array {
  return toBinary(
    CheckRequestSchema,
    create(CheckRequestSchema, {
      subject: { id: subjectId(index) },
      action: { name: "execute" },
      resource: { type: "agent", id: "agent-7" },
      context: { ip: "10.1.2.3", userAgent: "bench/1" },
    }),
  );
}

function directoryFile(): string {
  const subjects = Array.from(
    { length: SUBJECTS },
    (_, index) => `  - { id: ${subjectId(index)}, groups: [llm-platform/developers] }`,
  );
  return `subjects:\n${subjects.join("\n")}\n`;
}
