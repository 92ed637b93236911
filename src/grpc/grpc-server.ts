/**
 * The door for services: Postern's own API, health and reflection over `@grpc/grpc-js`, on TCP and
 * unix sockets. Not for deciding, and not for operators.
 */
import type { Socket } from "node:net";
import { Server as GrpcJsServer, ServerCredentials, type ServerOptions } from "@grpc/grpc-js";
import type { Clock } from "../base/clock.ts";
import { type ListenAddress, parseListenAddress } from "../base/listen-address.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import type { Peer, UnaryHandlers } from "../base/unary-handler.ts";
import { type CallGate, createCallGate } from "./call-gate.ts";
import { createDescriptorIndex } from "./descriptor-index.ts";
import { file_google_rpc_error_details } from "./gen/google/rpc/error_details_pb.js";
import { file_google_rpc_status } from "./gen/google/rpc/status_pb.js";
import { file_grpc_health_v1_health } from "./gen/grpc/health/v1/health_pb.js";
import { file_grpc_reflection_v1_reflection } from "./gen/grpc/reflection/v1/reflection_pb.js";
import { file_grpc_reflection_v1alpha_reflection } from "./gen/grpc/reflection/v1alpha/reflection_pb.js";
import { file_postern_v1_decision } from "./gen/postern/v1/decision_pb.js";
import { createHealthService, type HealthService } from "./health-service.ts";
import { type Listener, listen } from "./listener.ts";
import type { GrpcOptions } from "./options.ts";
import { createReflectionHandler } from "./reflection-service.ts";

/** What the server needs. */
export interface GrpcServerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly options: GrpcOptions;
  /** The unary methods by full name; health reports on their services. */
  readonly handlers: UnaryHandlers;
}

/** A gRPC server that is listening. */
export interface GrpcServer {
  /** As configured, with the ports that were taken where port 0 asked for any. */
  readonly addresses: readonly string[];
  /** What health says; NOT_SERVING until told. */
  setServing(isServing: boolean): void;
  /**
   * Stops gracefully: health says NOT_SERVING, no connection is taken, GOAWAY is sent, calls in
   * flight finish; after `timeoutMs` the rest is cut off. Resolves when all connections are closed,
   * with whether none was cut off.
   */
  drain(timeoutMs: number): Promise<boolean>;
}

const reflectedFiles = [
  file_postern_v1_decision,
  // What status details are made of, so that clients can show them.
  file_google_rpc_status,
  file_google_rpc_error_details,
  file_grpc_health_v1_health,
  file_grpc_reflection_v1_reflection,
  file_grpc_reflection_v1alpha_reflection,
];

/** Listens on every address of `options.listen`; on none of them if one can't be had. */
export async function createGrpcServer(deps: GrpcServerDeps): Promise<GrpcServer> {
  const { logger, options } = deps;
  const addresses = options.listen.map(parseListenAddress);
  const health = createHealthService(servicesOf(deps.handlers));
  const methods: Methods = { ...deps, health, gate: createCallGate(deps) };
  const connections = createConnectionCounters(deps.meter);
  const doors: Door[] = [];
  try {
    for (const address of addresses) {
      doors.push(await openDoor(address, { methods, connections, options, logger }));
    }
  } catch (error) {
    await Promise.all(doors.map((door) => door.close(0)));
    throw error;
  }
  const names = doors.map(({ listener }) => listener.address);
  logger.info({ addresses: names }, "gRPC is listening.");

  return {
    addresses: names,
    setServing: health.setServing,
    drain: async (timeoutMs) => {
      health.close();
      // Lets the last health answers out before the connections are told to go.
      await new Promise(setImmediate);
      const closed = await Promise.all(doors.map((door) => door.close(timeoutMs)));
      const isGraceful = closed.every(Boolean);
      if (isGraceful) logger.info({}, "gRPC is drained. Every call was answered.");
      else logger.warn({ timeoutMs }, "gRPC is closed. Calls that took too long were cut off.");
      return isGraceful;
    },
  };
}

/** One address that is listened on. */
interface Door {
  readonly listener: Listener;
  /** Resolves to whether everything ended by itself within `timeoutMs`. */
  close(timeoutMs: number): Promise<boolean>;
}

interface Methods {
  readonly handlers: UnaryHandlers;
  readonly health: HealthService;
  readonly gate: CallGate;
}

async function openDoor(
  address: ListenAddress,
  parts: {
    readonly methods: Methods;
    readonly connections: ConnectionCounters;
    readonly options: GrpcOptions;
    readonly logger: Logger;
  },
): Promise<Door> {
  const { methods, connections, options, logger } = parts;
  const peers = address.kind === "unix" ? [unixPeer] : [loopbackPeer, networkPeer];
  const transports = new Map(peers.map((peer) => [peer, createTransport(peer, methods, options)]));
  const peerOf = address.kind === "unix" ? () => unixPeer : tcpPeerOf;
  const sockets = new Set<Socket>();
  const listener = await listen({
    address,
    socketMode: Number.parseInt(options.socketMode, 8),
    connectionsMax: options.connectionsMax,
    onConnection: (socket) => {
      sockets.add(socket);
      connections.opened();
      socket.on("close", () => {
        sockets.delete(socket);
        connections.closed();
      });
      transports.get(peerOf(socket))!.take(socket);
    },
    onRefused: connections.refused,
    onFailed: (error) => {
      connections.refused();
      logger.error({ error }, "A connection could not be taken. Listening goes on.");
    },
  });
  return {
    listener,
    close: (timeoutMs) => {
      listener.close();
      return shutDown([...transports.values()], sockets, timeoutMs);
    },
  };
}

/** A grpc-js server for the connections of one kind of peer: no call has to ask whose it is. */
interface Transport {
  readonly server: GrpcJsServer;
  take(socket: Socket): void;
}

function createTransport(peer: Peer, methods: Methods, options: GrpcOptions): Transport {
  const server = new GrpcJsServer(transportOptions(options));
  register(server, methods, peer);
  // grpc-js's own listening offers neither modes for unix sockets nor a limit on connections.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return { server, take: (socket) => injector.injectConnection(socket) };
}

/**
 * Sends GOAWAY and waits for the connections to close, since `tryShutdown` calls back before: Node
 * marks sessions as closed when the server is closed, and grpc-js then takes them for ended.
 */
async function shutDown(
  transports: readonly Transport[],
  sockets: ReadonlySet<Socket>,
  timeoutMs: number,
): Promise<boolean> {
  for (const { server } of transports) server.tryShutdown(() => {});
  const closed = Promise.all(
    [...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))),
  );
  let isCutOff = false;
  const timer = setTimeout(() => {
    isCutOff = true;
    for (const { server } of transports) server.forceShutdown();
    for (const socket of sockets) socket.destroy();
  }, timeoutMs);
  await closed;
  clearTimeout(timer);
  return !isCutOff;
}

function transportOptions(options: GrpcOptions): ServerOptions {
  const age = { "grpc.max_connection_age_ms": options.connectionAgeMs };
  return {
    "grpc.max_concurrent_streams": options.concurrentStreamsMax,
    // Node counts this one in megabytes.
    "grpc-node.max_session_memory": Math.ceil(options.sessionMemoryMaxBytes / 1e6),
    "grpc.max_receive_message_length": options.requestBytesMax,
    // An answer to a batch may be larger than its question.
    "grpc.max_send_message_length": -1,
    "grpc.keepalive_time_ms": options.keepaliveTimeMs,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs,
    "grpc.max_connection_idle_ms": options.connectionIdleMs,
    ...(options.connectionAgeMs > 0 && age),
    "grpc.max_connection_age_grace_ms": options.connectionAgeGraceMs,
    // Introspection that nobody reads, paid for on every call.
    "grpc.enable_channelz": 0,
  };
}

function register(server: GrpcJsServer, methods: Methods, peer: Peer): void {
  const { handlers, health, gate } = methods;
  const unary = new Map(handlers)
    .set("/grpc.health.v1.Health/Check", health.check)
    .set("/grpc.health.v1.Health/List", health.list);
  for (const [path, handler] of unary) {
    server.register(path, gate.unary(path, handler, peer), asBuffer, asIs, "unary");
  }
  const watch = "/grpc.health.v1.Health/Watch";
  server.register(watch, gate.stream(watch, health.watch), asBuffer, asIs, "serverStream");
  const reflect = createReflectionHandler(createDescriptorIndex(reflectedFiles));
  for (const version of ["v1", "v1alpha"]) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    server.register(path, gate.stream(path, reflect), asBuffer, asIs, "bidi");
  }
}

/** `/package.Service/Method` → `package.Service`, each once. */
function servicesOf(handlers: UnaryHandlers): string[] {
  return [...new Set([...handlers.keys()].map((path) => path.split("/")[1]!))];
}

const unixPeer: Peer = { kind: "unix", certificateNames: [] };
const loopbackPeer: Peer = { kind: "loopback", certificateNames: [] };
const networkPeer: Peer = { kind: "network", certificateNames: [] };

/** An address that can't be told, since the connection is gone already, is trusted least. */
export function tcpPeerOf({ remoteAddress = "" }: Pick<Socket, "remoteAddress">): Peer {
  const isLoopback =
    remoteAddress.startsWith("127.") ||
    remoteAddress === "::1" ||
    remoteAddress.startsWith("::ffff:127.");
  return isLoopback ? loopbackPeer : networkPeer;
}

/** Messages stay bytes: handlers decode them, so that they know no transport. */
function asIs(bytes: Buffer): Uint8Array {
  return bytes;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface ConnectionCounters {
  opened(): void;
  closed(): void;
  refused(): void;
}

function createConnectionCounters(meter: Meter): ConnectionCounters {
  const open = meter.gauge({
    name: "postern_grpc_connections",
    help: "gRPC connections open on all addresses.",
  });
  const refused = meter.counter({
    name: "postern_grpc_connections_refused_total",
    help: "gRPC connections not taken: there were too many, or the system had no room for one.",
  });
  let count = 0;
  return {
    opened: () => open.set(++count),
    closed: () => open.set(--count),
    refused: () => refused.add(1),
  };
}
