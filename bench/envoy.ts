/**
 * Measures `ext_authz` on the wire, with a policy over a document of 10,000 users: throughput against
 * `opa run --server`, which evaluates the same Rego over REST with the input that OPA's Envoy plugin
 * would make. Each has one core to itself, with the load on the other; they take turns in many short
 * rounds, and the ratio is the median of the rounds' ratios. Then what a check adds to a request
 * through a real Envoy, at two steady rates.
 *
 *   node bench/envoy.ts [rounds]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { createBodyReader } from "../src/grpc/ext-authz/body-reader.ts";
import { readHttpCheck } from "../src/grpc/ext-authz/check-request.ts";
import { ParsedPath } from "../src/grpc/ext-authz/parsed-path.ts";
import { regoInput } from "../src/grpc/ext-authz/rego-input.ts";
import { CheckResponseSchema } from "../src/grpc/gen/envoy/service/auth/v3/external_auth_pb.js";
import { createGrpcClient } from "../test/support/grpc-client.ts";
import { buildEnvoyBundle, CHECK, checkRequest } from "./support/envoy-world.ts";
import { grpcFrame, grpcHeaders, type Load } from "./support/h2load.ts";
import { compareInTurn } from "./support/in-turn.ts";
import { startOpa } from "./support/peers.ts";
import { startPostern } from "./support/postern.ts";
import { moveToLoadCore, requireTool } from "./support/processes.ts";
import { createStops } from "./support/stops.ts";
import { measureThroughEnvoy } from "./support/through-envoy.ts";

const POSTERN_PORT = 19_192;
const OPA_PORT = 19_392;
const GOAL = 2.5;

const rounds = Number(process.argv[2] ?? 15);
const folder = mkdtempSync(join(tmpdir(), "postern-bench-envoy-"));
const stops = createStops();
stops.push(() => rmSync(folder, { recursive: true, force: true }));

try {
  requireTool("h2load", "apt-get install nghttp2-client");
  requireTool("opa", "go install github.com/open-policy-agent/opa@v1.22.2");
  moveToLoadCore();
  await main();
} finally {
  await stops.all();
}

async function main(): Promise<void> {
  const sources = join(folder, "sources");
  const bundles = join(folder, "bundles");
  buildEnvoyBundle(sources, bundles);
  const postern = await startPostern({ port: POSTERN_PORT, bundles });
  stops.push(postern.stop);
  const opa = await startOpa(OPA_PORT, [join(sources, "authz.rego"), join(sources, "data.json")]);
  stops.push(opa.stop);

  const request = checkRequest("user-4711");
  const check = readHttpCheck(request, "all");
  const path = new ParsedPath(check.path);
  const body = createBodyReader("strict")(check, path);
  const input = regoInput({ request: check, path, body }, "all");
  const loads = {
    postern: load(`http://127.0.0.1:${POSTERN_PORT}${CHECK}`, grpcFrame(request), {
      ...{ headers: grpcHeaders, requests: 8_000 },
    }),
    "opa run": load(
      `http://127.0.0.1:${OPA_PORT}/v1/data/envoy/authz/allow`,
      Buffer.from(JSON.stringify({ input })),
      { headers: ["content-type: application/json"], requests: 3_000, http1: true },
    ),
  };
  await verify(request, input);
  process.stdout.write(`\next_authz on the wire, one core each, medians of ${rounds} rounds\n`);
  compareInTurn(loads, rounds);
  process.stdout.write(`goal: ${GOAL}×\n`);
  await opa.stop();
  await measureThroughEnvoy({ pdpPort: POSTERN_PORT, user: "user-4711", rounds });
}

function load(url: string, body: Buffer, how: Pick<Load, "headers" | "requests" | "http1">): Load {
  const bodyPath = join(folder, `${new URL(url).port}.body`);
  writeFileSync(bodyPath, body);
  return { url, bodyPath, ...how };
}

/** Who says no, or nothing, would be fast for the wrong reason. */
async function verify(request: Uint8Array, input: object): Promise<void> {
  const client = createGrpcClient(`127.0.0.1:${POSTERN_PORT}`);
  const codeOf = async (message: Uint8Array) =>
    fromBinary(CheckResponseSchema, await client.raw(CHECK, message)).status?.code;
  const codes = [await codeOf(request), await codeOf(checkRequest("user-2"))];
  client.close();
  const answer = await fetch(`http://127.0.0.1:${OPA_PORT}/v1/data/envoy/authz/allow`, {
    method: "POST",
    body: JSON.stringify({ input }),
  });
  const { result } = (await answer.json()) as { result: unknown };
  if (codes.join() === "0,7" && result === true) return;
  throw new Error(`Postern answers ${codes.join()} (expected 0,7), opa ${result} (expected true)`);
}
