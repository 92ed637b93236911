// gRPC calls through a real Envoy: the policy sees what the message says, by the protoset.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, credentials, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EnvoyServer, openEnvoy } from "../../support/envoy.ts";
import { projectRoot } from "../../support/source-files.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "../../support/workspace.ts";

const PROTO = `syntax = "proto3";
package shop.v1;
service Orders { rpc Place(Order) returns (Order); }
message Order { string customer = 1; int64 cents = 2; }
`;
const POLICY = `package envoy.authz

default allow := false

allow if {
	input.parsed_path == ["shop.v1.Orders", "Place"]
	input.parsed_body.customer == "alice"
	to_number(input.parsed_body.cents) < 1000
}
`;
const PLACE = "/shop.v1.Orders/Place";

let workspace: Workspace;
let server: ServerProcess;
let upstream: Server;
let envoy: EnvoyServer;
let client: Client;
const served: Buffer[] = [];

/** A gRPC service that answers with what it was asked. */
async function openShop(): Promise<{ shop: Server; port: number }> {
  const shop = new Server();
  const bytes = (message: Buffer): Buffer => message;
  const method = {
    ...{ path: PLACE, requestStream: false, responseStream: false },
    ...{ requestSerialize: bytes, requestDeserialize: bytes },
    ...{ responseSerialize: bytes, responseDeserialize: bytes },
  };
  shop.addService(
    { place: method },
    {
      place: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => {
        served.push(call.request);
        done(null, call.request);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    const ready = (error: Error | null, bound: number) => (error ? reject(error) : resolve(bound));
    shop.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), ready);
  });
  return { shop, port };
}

beforeAll(async () => {
  workspace = createWorkspace({ POSTERN_EXT_AUTHZ_PROTO_DESCRIPTOR: "shop.binpb" });
  const folder = (name: string) => {
    mkdirSync(join(workspace.folder, name));
    return join(workspace.folder, name);
  };
  writeFileSync(join(folder("protos"), "shop.proto"), PROTO);
  const buf = join(projectRoot, "node_modules/.bin/buf");
  const build = ["build", "protos", "--as-file-descriptor-set", "-o", "shop.binpb"];
  execFileSync(buf, build, { cwd: workspace.folder });
  writeFileSync(join(folder("shop"), "authz.rego"), POLICY);
  const bundle = ["bundle", "build", "shop", "-o", "bundles/envoy.tar.gz"];
  expect((await workspace.postern(...bundle)).stderr).toBe("");
  server = await workspace.serve();
  const { shop, port } = await openShop();
  upstream = shop;
  envoy = await openEnvoy({
    ...{ pdp: [server.address], upstreamPort: port, isUpstreamHttp2: true },
    ...{ failureModeAllow: true, withRequestBody: { maxRequestBytes: 65_536, packAsBytes: true } },
  });
  client = new Client(`127.0.0.1:${envoy.port}`, credentials.createInsecure());
});
afterAll(async () => {
  client?.close();
  await envoy?.close();
  upstream?.forceShutdown();
  await server?.stop();
  workspace?.remove();
});

/** An `Order`, encoded. */
function order(customer: string, cents: number): Buffer {
  const varint = (value: number): number[] =>
    value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
  return Buffer.from([0x0a, customer.length, ...Buffer.from(customer), 0x10, ...varint(cents)]);
}

/** The status, and what came back. */
function place(message: Buffer): Promise<{ code: number; answer: Buffer | undefined }> {
  const bytes = (value: Buffer): Buffer => value;
  return new Promise((resolve) => {
    client.makeUnaryRequest(PLACE, bytes, bytes, message, (error, answer) => {
      resolve({ code: error?.code ?? status.OK, answer });
    });
  });
}

describe("gRPC calls through Envoy", () => {
  it("reach the service if the policy allows what they say", async () => {
    const message = order("alice", 999);
    expect(await place(message)).toEqual({ code: status.OK, answer: message });
    expect(served).toEqual([message]);
  });

  it.each([
    ["too much", order("alice", 1_000)],
    ["somebody else", order("mallory", 1)],
    ["nothing", Buffer.alloc(0)],
    ["a customer that is not UTF-8", Buffer.from([0x0a, 1, 0xff, 0x10, 1])],
    ["a message cut short", order("alice", 1).subarray(0, 5)],
    [
      "two customers, of which the last counts",
      Buffer.concat([order("alice", 1), order("eve", 1)]),
    ],
  ])("are denied as gRPC has it: %s", async (_, message) => {
    const before = served.length;
    expect((await place(message)).code).not.toBe(status.OK);
    expect(served).toHaveLength(before);
  });
});
