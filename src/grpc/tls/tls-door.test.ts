import { execFile } from "node:child_process";
import type { EventEmitter } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fakeDecision } from "../../../test/support/fake-pipeline.ts";
import { CHECK, createGrpcBench } from "../../../test/support/grpc-bench.ts";
import { type ClientTls, failureOf } from "../../../test/support/grpc-client.ts";
import { http2Session } from "../../../test/support/http2-call.ts";
import { type NotingMeter, notingMeter } from "../../../test/support/noting-meter.ts";
import {
  type Authority,
  clientTls,
  makeAuthority,
  type TlsFiles,
} from "../../../test/support/tls-files.ts";
import { checkFields } from "../../../test/support/wire.ts";
import { type LogFields, type Logger, silentLogger } from "../../base/logger.ts";
import type { Peer } from "../../base/unary-handler.ts";
import type { Pipeline } from "../../pipeline/pipeline.ts";
import type { GrpcServer } from "../grpc-server.ts";
import type { TlsOptions } from "./options.ts";

const GATEWAY = "spiffe://example/gateway";
const { clientOf, serve, close } = createGrpcBench();
let folder: string;
let authority: Authority;
let own: TlsFiles;
let gateway: TlsFiles;
let peers: Peer[];
let lines: LogFields[];
let meter: NotingMeter;
let sockets: Socket[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-tls-"));
  authority = makeAuthority(folder);
  own = authority.issue("own", { san: "DNS:localhost" });
  gateway = authority.issue("gateway", { san: `URI:${GATEWAY},DNS:gateway.example` });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  peers = [];
  lines = [];
  meter = notingMeter();
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await close();
});

const logger: Logger = { ...silentLogger, warn: (fields) => void lines.push(fields) };

const tlsOptions = (changes: Partial<TlsOptions> = {}): TlsOptions => ({
  ...{ certificateFile: own.certificate, keyFile: own.key, clientCaFile: own.ca },
  ...{ versionMin: "TLSv1.2", reloadIntervalMs: 60_000 },
  ...{ handshakeTimeoutMs: 60_000, handshakesMax: 8, ...changes },
});

/** Serves with TLS, and notes who calls; callers need a certificate unless the options say otherwise. */
function serveTls(tls: TlsOptions = tlsOptions()): Promise<GrpcServer> {
  const check: Pipeline["check"] = (request, { peer }) => {
    peers.push(peer);
    return fakeDecision(request);
  };
  const noting = { logger, meter: meter.meter };
  return serve({ check }, { listen: ["tls://127.0.0.1:0"], tls, ...noting });
}

const call = (server: GrpcServer, tls: ClientTls) =>
  clientOf(server, undefined, tls).raw(CHECK, checkFields());

const portOf = (server: GrpcServer): number => Number(server.addresses[0]!.split(":").at(-1));

/** Connects with TLS itself, and waits until something has become of it. */
async function handshake(server: GrpcServer, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({
    ...{ port: portOf(server), host: "127.0.0.1", servername: "localhost" },
    ...{ ...clientTls(gateway), ALPNProtocols: ["h2"], ...options },
  });
  sockets.push(socket);
  socket.on("error", () => {});
  socket.resume();
  await Promise.race([heard(socket, "session"), heard(socket, "close")]);
  return socket;
}

/** As `once` of Node, which rejects where an error comes first. */
function heard(emitter: EventEmitter, name: string): Promise<void> {
  return new Promise((resolve) => emitter.once(name, () => resolve()));
}

async function tcp(server: GrpcServer): Promise<Socket> {
  const socket = connectTcp(portOf(server), "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => {});
  socket.resume();
  await heard(socket, "connect");
  return socket;
}

/** Waits until a connection has failed for this reason, and gives the line about it. */
async function failedBy(reason: string): Promise<LogFields> {
  await expect.poll(() => lines.map((line) => line["reason"])).toContain(reason);
  expect(meter.notes).toContain(`postern_grpc_connections_failed_total ${reason} 1`);
  return lines.find((line) => line["reason"] === reason)!;
}

const openConnections = (): string | undefined =>
  meter.notes.findLast((note) => note.startsWith("postern_grpc_connections "));

describe("a tls:// address", () => {
  it("serves gRPC, and knows callers by where they are from without authorities of theirs", async () => {
    const { clientCaFile: _, ...withoutCa } = tlsOptions();
    const server = await serveTls(withoutCa);
    expect(server.addresses[0]).toMatch(/^tls:\/\/127\.0\.0\.1:\d+$/);
    await call(server, { ca: clientTls(own).ca });
    await call(server, clientTls(gateway));
    const loopback = { kind: "loopback", certificateNames: [] };
    expect(peers).toEqual([loopback, loopback]);
  });

  it("knows a caller by the names of its certificate", async () => {
    const server = await serveTls();
    await call(server, clientTls(gateway));
    const nameless = authority.issue("nameless", { commonName: GATEWAY });
    await call(server, clientTls(nameless));
    expect(peers).toEqual([
      { kind: "loopback", certificateNames: [GATEWAY, "gateway.example"] },
      { kind: "loopback", certificateNames: [] },
    ]);
  });

  it("lets nobody in without a certificate", async () => {
    const server = await serveTls();
    await failureOf(call(server, { ca: clientTls(own).ca }));
    expect(await failedBy("no-certificate")).toMatchObject({ peer: "127.0.0.1" });
    expect(peers).toEqual([]);
  });

  it.each<[string, () => TlsFiles, string]>([
    ["another authority of the same name", () => stranger(), "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["nobody but itself", () => selfSigned(), "DEPTH_ZERO_SELF_SIGNED_CERT"],
    [
      "the authority for servers alone",
      () => authority.issue("server", { extensions: ["extendedKeyUsage=serverAuth"] }),
      "INVALID_PURPOSE",
    ],
    [
      "the authority, and has expired",
      () => authority.issue("old", { days: -1 }),
      "CERT_HAS_EXPIRED",
    ],
  ])("lets nobody in whose certificate is signed by %s", async (_, files, code) => {
    const server = await serveTls();
    const client = { ...clientTls(files()), ca: clientTls(own).ca };
    await failureOf(call(server, client));
    expect(await failedBy("certificate")).toMatchObject({ code });
    expect((await handshake(server, { ...client, maxVersion: "TLSv1.2" })).destroyed).toBe(true);
    expect(peers).toEqual([]);
  });

  it("lets nobody in whose certificate has two SPIFFE IDs", async () => {
    const server = await serveTls();
    const two = authority.issue("two", { san: `URI:${GATEWAY},URI:spiffe://example/other` });
    await failureOf(call(server, clientTls(two)));
    await failedBy("certificate-names");
    expect(peers).toEqual([]);
  });

  it.each([[undefined], [["http/1.1"]]])(
    "asks for h2 by ALPN, and not for %s",
    async (protocols) => {
      const server = await serveTls();
      const ALPNProtocols = protocols as string[];
      const socket = await handshake(server, { ALPNProtocols });
      if (!socket.destroyed) await heard(socket, "close");
      await failedBy("alpn");
    },
  );

  it("speaks TLS 1.2 and 1.3, and nothing older", async () => {
    const server = await serveTls();
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = await handshake(server, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
    }
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1" } as const;
    await handshake(server, { ...old, ciphers: "ALL:@SECLEVEL=0" });
    await failedBy("version");
  });

  it("speaks TLS 1.3 alone where it is told to", async () => {
    const server = await serveTls(tlsOptions({ versionMin: "TLSv1.3" }));
    await handshake(server, { maxVersion: "TLSv1.2" });
    await failedBy("version");
    await call(server, clientTls(gateway));
  });

  it.each(["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "AES256-SHA"])(
    "speaks no cipher that HTTP/2 forbids: %s",
    async (ciphers) => {
      const rsa = authority.issue("rsa", { san: "DNS:localhost", newKey: ["rsa:2048"] });
      const files = { certificateFile: rsa.certificate, keyFile: rsa.key };
      const server = await serveTls(tlsOptions(files));
      await handshake(server, { ciphers, maxVersion: "TLSv1.2" });
      await failedBy("tls");
      await call(server, clientTls(gateway));
    },
  );

  it.each(["TLSv1.2", "TLSv1.3"] as const)("resumes no session of %s", async (maxVersion) => {
    const server = await serveTls();
    const first = await handshake(server, { maxVersion });
    const second = await handshake(server, { maxVersion, session: first.getSession()! });
    expect(second.isSessionReused()).toBe(false);
  });

  it("negotiates nothing again", async () => {
    const server = await serveTls();
    const socket = await handshake(server, { maxVersion: "TLSv1.2" });
    const refused = new Promise((resolve) => socket.once("error", resolve));
    socket.renegotiate({}, () => {});
    expect(await refused).toMatchObject({ code: "ERR_SSL_NO_RENEGOTIATION" });
  });
});

describe("what does not speak TLS, or not here", () => {
  it("is closed, with a line that says so: HTTP/2 without TLS", async () => {
    const server = await serveTls();
    const session = http2Session(`127.0.0.1:${portOf(server)}`);
    await heard(session, "close");
    expect(await failedBy("not-tls")).toMatchObject({ peer: "127.0.0.1" });
    await expect.poll(openConnections).toBe("postern_grpc_connections 0");
  });

  it("is closed, with a line that says so: HTTP/1", async () => {
    const socket = await tcp(await serveTls());
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await heard(socket, "close");
    await failedBy("not-tls");
  });

  it("is closed, with a line that says so: TLS at a port without", async () => {
    const server = await serve({}, { logger, meter: meter.meter });
    await handshake(server, {});
    expect(await failedBy("not-http2")).toMatchObject({ peer: "127.0.0.1" });
  });

  it("is logged once in a while, and counted each time", async () => {
    const server = await serveTls();
    for (let times = 0; times < 3; times += 1) {
      const socket = await tcp(server);
      socket.write("GET / HTTP/1.1\r\n\r\n");
      await heard(socket, "close");
    }
    const failures = () => meter.notes.filter((note) => note.endsWith("failed_total not-tls 1"));
    await expect.poll(failures).toHaveLength(3);
    expect(lines).toHaveLength(1);
  });

  it("is no news where it only looks whether the port is open", async () => {
    const socket = await tcp(await serveTls());
    socket.destroy();
    await expect.poll(() => meter.notes).toContain("postern_grpc_connections_failed_total gone 1");
    expect(lines).toEqual([]);
  });

  it("is told from a caller that doesn't trust the server", async () => {
    const server = await serveTls();
    // Node's own client ends the handshake well, and the connection then.
    const client = ["s_client", "-connect", `127.0.0.1:${portOf(server)}`, "-alpn", "h2"];
    const child = execFile("openssl", [...client, "-verify_return_error"], () => {});
    await heard(child, "close");
    expect(await failedBy("refused-by-peer")).toMatchObject({
      code: "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
    });
  });
});

describe("a handshake", () => {
  it("has to end in time", async () => {
    const server = await serveTls(tlsOptions({ handshakeTimeoutMs: 100 }));
    const socket = await tcp(server);
    // The beginning of a record.
    socket.write(Buffer.from([0x16, 3, 1, 2, 0]));
    await heard(socket, "close");
    await failedBy("timeout");
    await expect.poll(openConnections).toBe("postern_grpc_connections 0");
  });

  it("gives way to newer ones if there are too many", async () => {
    const server = await serveTls(tlsOptions({ handshakesMax: 2 }));
    const waiting = [await tcp(server), await tcp(server)];
    await expect.poll(openConnections).toBe("postern_grpc_connections 2");
    const closed = heard(waiting[0]!, "close");
    await call(server, clientTls(gateway));
    await closed;
    await failedBy("crowded");
    expect(waiting[1]!.destroyed).toBe(false);
    // Whoever is done waits no more: there is room for one beside the second.
    await call(server, clientTls(gateway));
    expect(waiting[1]!.destroyed).toBe(false);
  });

  it("ends with the server, and holds it up no moment", async () => {
    const server = await serveTls();
    const socket = await tcp(server);
    await expect.poll(openConnections).toBe("postern_grpc_connections 1");
    const closed = heard(socket, "close");
    expect(await server.drain(60_000)).toBe(true);
    await closed;
  });

  it("survives a peer that resets the connection", async () => {
    const server = await serveTls();
    const socket = await tcp(server);
    await expect.poll(openConnections).toBe("postern_grpc_connections 1");
    socket.write(Buffer.from([0x16, 3, 1, 2, 0]));
    socket.resetAndDestroy();
    await expect.poll(openConnections).toBe("postern_grpc_connections 0");
    await call(server, clientTls(gateway));
  });
});

it("survives beginnings of handshakes that break off or are damaged anywhere", async () => {
  const server = await serveTls(tlsOptions({ handshakesMax: 64 }));
  const hello = await clientHello();
  for (let cut = 1; cut < hello.length; cut += 5) {
    const begun = Buffer.from(hello.subarray(0, cut));
    const damaged = Buffer.from(hello);
    damaged[cut] = damaged[cut]! ^ 0xff;
    for (const bytes of [begun, damaged]) {
      const socket = await tcp(server);
      const closed = heard(socket, "close");
      if (cut % 2 === 0) socket.end(bytes);
      else socket.write(bytes, () => socket.resetAndDestroy());
      await closed;
    }
  }
  await call(server, clientTls(gateway));
  await expect.poll(openConnections).toBe("postern_grpc_connections 1");
  expect(meter.notes).not.toContain("postern_grpc_connections_failed_total crowded 1");
});

/** What a client says first. */
async function clientHello(): Promise<Buffer> {
  const heardFirst = Promise.withResolvers<Buffer>();
  const listener = createServer((socket) => socket.once("data", heardFirst.resolve));
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const client = connect({ port, host: "127.0.0.1", ...clientTls(gateway), ALPNProtocols: ["h2"] });
  client.on("error", () => {});
  const hello = await heardFirst.promise;
  client.destroy();
  listener.close();
  return hello;
}

function stranger(): TlsFiles {
  return makeAuthority(join(folder, "stranger")).issue("stranger", { san: `URI:${GATEWAY}` });
}

function selfSigned(): TlsFiles {
  const { ca } = makeAuthority(join(folder, "self"));
  return { ca, certificate: ca, key: join(folder, "self", "ca.key") };
}
