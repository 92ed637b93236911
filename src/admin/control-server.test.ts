import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { silentLogger } from "../base/logger.ts";
import type { UnaryHandler } from "../base/unary-handler.ts";
import { listenOnUnixSocket } from "../base/unix-socket.ts";
import { PdpError } from "../decision/error.ts";
import {
  type ControlServer,
  type ControlServerDeps,
  createControlServer,
} from "./control-server.ts";

const CHECK = "/postern.v1.DecisionService/Check";
const servers: ControlServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

function socketPath(): string {
  return join(mkdtempSync(join(tmpdir(), "postern-admin-")), "control.sock");
}

interface Setup extends Partial<ControlServerDeps> {
  readonly path?: string;
  readonly check?: UnaryHandler;
}

async function start(setup: Setup = {}): Promise<string> {
  const { path = socketPath(), check = (bytes: Uint8Array) => bytes, ...deps } = setup;
  const server = createControlServer({
    options: { controlSocket: path, requestBytesMax: 1_024, requestTimeoutMs: 10_000 },
    clock: manualClock(),
    logger: silentLogger,
    handlers: new Map([[CHECK, check]]),
    bundles: { list: () => [], remove: async () => false },
    cache: { show: async () => ({}), purge: async () => true },
    envoy: { try: async () => ({}) },
    status: () => ({ status: "ready" }),
    ...deps,
  });
  await server.listen();
  servers.push(server);
  return path;
}

interface Sent {
  readonly method?: string;
  readonly type?: string;
  readonly body?: Uint8Array | string;
}

function send(socket: string, path: string, sent: Sent = {}): Promise<[number, string]> {
  const { method = "GET", type, body } = sent;
  return new Promise((resolve, reject) => {
    const headers = type === undefined ? {} : { "content-type": type };
    const outgoing = request({ socketPath: socket, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve([response.statusCode ?? 0, Buffer.concat(chunks).toString()]),
      );
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

const post = (body: Uint8Array | string, type = "application/proto"): Sent => ({
  method: "POST",
  type,
  body,
});

describe("createControlServer()", () => {
  it.each([
    ["invalid-argument", 400, "invalid_argument"],
    ["not-found", 404, "not_found"],
    ["permission-denied", 403, "permission_denied"],
    ["resource-exhausted", 429, "resource_exhausted"],
    ["too-large", 429, "resource_exhausted"],
    ["failed-precondition", 400, "failed_precondition"],
    ["deadline-exceeded", 504, "deadline_exceeded"],
    ["unavailable", 503, "unavailable"],
  ] as const)("answers a failure of kind %s with %i", async (kind, status, code) => {
    const socket = await start({
      check: () => {
        throw new PdpError(kind, "why", { field: "subject.id" });
      },
    });
    const [answered, body] = await send(socket, CHECK, post("x"));
    expect(answered).toBe(status);
    expect(JSON.parse(body)).toEqual({ code, message: "why", field: "subject.id" });
  });

  it("tells nothing about a failure that nobody foresaw", async () => {
    const socket = await start({ check: () => Promise.reject(new Error("secret")) });
    const [status, body] = await send(socket, CHECK, post("x"));
    expect([status, JSON.parse(body)]).toEqual([
      500,
      { code: "internal", message: "internal error" },
    ]);
  });

  it("refuses a body that is too large, of another type, or missing", async () => {
    const socket = await start();
    expect(await send(socket, CHECK, post(new Uint8Array(1_025)))).toMatchObject({ 0: 429 });
    expect(await send(socket, CHECK, post("{}", "application/json"))).toMatchObject({ 0: 400 });
    expect(await send(socket, CHECK, { method: "POST" })).toMatchObject({ 0: 400 });
  });

  it("has no other methods", async () => {
    const socket = await start();
    expect((await send(socket, "/postern.v1.DecisionService/Nope", post("x")))[0]).toBe(404);
    expect((await send(socket, CHECK))[0]).toBe(404);
    expect((await send(socket, "/"))[0]).toBe(404);
  });

  it("hands the bytes to the handler, from a unix peer with a deadline, and back", async () => {
    const calls: unknown[] = [];
    const socket = await start({
      check: (bytes, call) => {
        calls.push(call);
        return Uint8Array.from([...bytes].reverse());
      },
    });
    expect(await send(socket, CHECK, post("abc"))).toEqual([200, "cba"]);
    expect(calls).toEqual([
      {
        peer: { kind: "control", certificateNames: [] },
        deadline: { atMonotonicMs: 11_000 },
      },
    ]);
  });

  it("lists and removes bundles, and says which it doesn't have", async () => {
    const removed: string[] = [];
    const bundles = {
      list: () => [{ application: "billing" }],
      remove: async (application: string) => {
        removed.push(application);
        return application === "billing";
      },
    };
    const socket = await start({ bundles });
    expect(await send(socket, "/bundles")).toEqual([200, '[{"application":"billing"}]']);
    const remove = (name: string) => send(socket, `/bundles/${name}`, { method: "DELETE" });
    expect((await remove("billing"))[0]).toBe(200);
    expect((await remove("nope"))[0]).toBe(404);
    expect((await remove("..%2f..%2fetc"))[0]).toBe(400);
    expect(removed).toEqual(["billing", "nope"]);
  });

  it("reports on candidates, or says that none are looked for", async () => {
    const shadow = { report: () => [{ application: "billing" }] };
    expect(await send(await start({ shadow }), "/shadow")).toEqual([
      ...[200, '[{"application":"billing"}]'],
    ]);
    const [status, body] = await send(await start(), "/shadow");
    expect(status).toBe(404);
    expect(body).toContain("POSTERN_BUNDLE_CANDIDATES_FOLDER");
  });

  it("shows the status", async () => {
    expect(await send(await start(), "/status")).toEqual([200, '{"status":"ready"}']);
  });
});

describe("listenOnUnixSocket()", () => {
  it("makes a socket for its owner alone and leaves nothing else", async () => {
    const path = await start();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(path, ".."))).toEqual(["control.sock"]);
  });

  it("binds where nobody else can enter", async () => {
    const path = socketPath();
    const seen: number[] = [];
    const option = "admin.control_socket";
    const bind = (bound: string) => {
      seen.push(statSync(join(bound, "..")).mode & 0o777);
      return Promise.reject(new Error("stop here"));
    };
    await expect(listenOnUnixSocket({ path, option, mode: 0o600, bind })).rejects.toThrow(
      "stop here",
    );
    expect(seen).toEqual([0o700]);
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  it("refuses a path that somebody answers on, and leaves that server alone", async () => {
    const path = await start();
    await expect(start({ path })).rejects.toThrow(
      /^Another server is listening on .*admin\.control_socket \(POSTERN_ADMIN_CONTROL_SOCKET\)\.$/,
    );
    expect((await send(path, "/status"))[0]).toBe(200);
  });

  it("takes over a socket whose process is gone", async () => {
    const path = socketPath();
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(`${path}.old`, resolve));
    // Closing removes the file it was bound to; a crash would not.
    renameSync(`${path}.old`, path);
    await new Promise((resolve) => dead.close(resolve));
    expect(statSync(path).isSocket()).toBe(true);
    await start({ path });
    expect((await send(path, "/status"))[0]).toBe(200);
  });

  it("refuses a path that is not a socket, or too long", async () => {
    const path = socketPath();
    writeFileSync(path, "");
    await expect(start({ path })).rejects.toThrow(
      /is not a socket\. Remove it, or .*control_socket/,
    );
    const long = join(tmpdir(), "x".repeat(120));
    await expect(start({ path: join(long, "s") })).rejects.toThrow(/too long: \d+ bytes/);
    await expect(start({ path: join(path, "s") })).rejects.toThrow(
      /Can't make the folder .*control_/,
    );
  });

  it("makes the folder, and removes its own socket only", async () => {
    const folder = mkdtempSync(join(tmpdir(), "postern-admin-"));
    const path = join(folder, "state", "control.sock");
    await start({ path });
    await servers.pop()?.close();
    expect(readdirSync(join(folder, "state"))).toEqual([]);

    await start({ path });
    unlinkSync(path);
    mkdirSync(path);
    await servers.pop()?.close();
    expect(readdirSync(join(folder, "state"))).toEqual(["control.sock"]);
  });
});
