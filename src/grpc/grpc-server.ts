/**
 * The door for services: Postern's own API, health and reflection over gRPC, on TCP and unix
 * sockets. Not for deciding, and not for operators.
 */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import type { Health } from "../base/health.ts";
import { type ListenAddress, parseListenAddress } from "../base/listen-address.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import { systemTimers } from "../base/timers.ts";
import type { Tracer } from "../base/tracer.ts";
import type { AnswerInBand, Peer, UnaryHandlers } from "../base/unary-handler.ts";
import { createCallGate } from "./call-gate.ts";
import { type ConnectionFailures, createConnectionFailures } from "./connection-failures.ts";
import { abstractPeerOf, tcpPeerOf, tlsPeerOf, unixPeerOf } from "./connection-peer.ts";
import { createDescriptorIndex } from "./descriptor-index.ts";
import { file_envoy_service_auth_v3_external_auth } from "./gen/envoy/service/auth/v3/external_auth_pb.js";
import { file_google_rpc_error_details } from "./gen/google/rpc/error_details_pb.js";
import { file_google_rpc_status } from "./gen/google/rpc/status_pb.js";
import { file_grpc_health_v1_health } from "./gen/grpc/health/v1/health_pb.js";
import { file_grpc_reflection_v1_reflection } from "./gen/grpc/reflection/v1/reflection_pb.js";
import { file_grpc_reflection_v1alpha_reflection } from "./gen/grpc/reflection/v1alpha/reflection_pb.js";
import { file_postern_v1_decision } from "./gen/postern/v1/decision_pb.js";
import { createHealthService } from "./health-service.ts";
import {
  createHttp2Transport,
  type Method,
  type Transport,
  type TransportParts,
} from "./http2-transport.ts";
import { type Listener, listen } from "./listener.ts";
import type { GrpcOptions } from "./options.ts";
import { createReflectionHandler } from "./reflection-service.ts";
import type { TlsOptions } from "./tls/options.ts";
import { type ReloadedCredentials, reloadCredentials } from "./tls/reloaded-credentials.ts";
import { createTlsDoor, type TlsDoor } from "./tls/tls-door.ts";

/** What the server needs. */
export interface GrpcServerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  /** Left out where calls are not traced. */
  readonly tracer?: Tracer | undefined;
  readonly health: Health;
  readonly options: GrpcOptions;
  /** The unary methods by full name; health reports on their services. */
  readonly handlers: UnaryHandlers;
  /** By full name too: what the methods say whose calls must not fail. */
  readonly inBand?: ReadonlyMap<string, AnswerInBand>;
}

/** A gRPC server that is listening. */
export interface GrpcServer {
  /** As configured, with the ports that were taken where port 0 asked for any. */
  readonly addresses: readonly string[];
  /** What health says; NOT_SERVING until told. */
  setServing(isServing: boolean): void;
  /**
   * Stops gracefully: health says NOT_SERVING; after `options.drainDelayMs`, in which all is served as
   * before, no connection is taken, GOAWAY is sent, calls in flight finish; after `timeoutMs` the rest
   * is cut off. Resolves when all connections are closed, with whether none was cut off.
   */
  drain(timeoutMs: number): Promise<boolean>;
}

const reflectedFiles = [
  file_postern_v1_decision,
  file_envoy_service_auth_v3_external_auth,
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
  const gate = createCallGate(deps);
  const methods = new Map<string, Method>();
  const unary = new Map(deps.handlers)
    .set("/grpc.health.v1.Health/Check", health.check)
    .set("/grpc.health.v1.Health/List", health.list);
  for (const [path, handler] of unary) {
    methods.set(path, { kind: "unary", ...gate.unary(path, handler, deps.inBand?.get(path)) });
  }
  const watch = "/grpc.health.v1.Health/Watch";
  methods.set(watch, { kind: "stream", serve: gate.stream(watch, health.watch) });
  const reflect = createReflectionHandler(createDescriptorIndex(reflectedFiles));
  for (const version of ["v1", "v1alpha"]) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    methods.set(path, { kind: "stream", serve: gate.stream(path, reflect) });
  }
  const connections = createConnectionCounters(deps.meter);
  const failures = createConnectionFailures(deps);
  const tls = options.tls && (await startTls(deps, options.tls));
  const doors: Door[] = [];
  try {
    for (const address of addresses) {
      doors.push(await openDoor(address, { ...deps, methods, connections, failures, tls }));
    }
  } catch (error) {
    tls?.close();
    await Promise.all(doors.map((door) => door.close(0)));
    throw error;
  }
  const names = doors.map(({ listener }) => listener.address);
  logger.info({ addresses: names }, "gRPC is listening.");

  return {
    addresses: names,
    setServing: health.setServing,
    drain: async (timeoutMs) => {
      health.setServing(false);
      if (options.drainDelayMs > 0) {
        await new Promise((resolve) => setTimeout(resolve, options.drainDelayMs));
      }
      health.close();
      // Lets the last health answers out before the connections are told to go.
      await new Promise(setImmediate);
      tls?.close();
      const closed = await Promise.all(doors.map((door) => door.close(timeoutMs)));
      const isGraceful = closed.every(Boolean);
      if (isGraceful) logger.info({}, "gRPC is drained. Every call was answered.");
      else logger.warn({ timeoutMs }, "gRPC is closed. Calls that took too long were cut off.");
      return isGraceful;
    },
  };
}

function startTls(deps: GrpcServerDeps, options: TlsOptions): Promise<ReloadedCredentials> {
  return reloadCredentials({ ...deps, timers: systemTimers, options });
}

/** One address that is listened on. */
interface Door {
  readonly listener: Listener;
  /** Resolves to whether everything ended by itself within `timeoutMs`. */
  close(timeoutMs: number): Promise<boolean>;
}

/** What all doors share. */
interface DoorParts extends Omit<TransportParts, "peerOf" | "onNotHttp2"> {
  readonly connections: ConnectionCounters;
  readonly failures: ConnectionFailures;
  readonly tls: ReloadedCredentials | undefined;
  readonly logger: Logger;
}

async function openDoor(address: ListenAddress, parts: DoorParts): Promise<Door> {
  const { connections, failures, options, logger } = parts;
  const transport = createHttp2Transport({
    ...parts,
    peerOf: peerOfKind(address),
    onNotHttp2: (peer) => failures.add("not-http2", { peer }),
  });
  const entrance = entranceOf(address, transport, parts);
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
      entrance.take(socket);
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
      entrance.close();
      return shutDown(transport, sockets, timeoutMs);
    },
  };
}

/** What connections pass on their way to the transport: TLS where the address asks for it. */
function entranceOf(
  address: ListenAddress,
  { take }: Transport,
  { options, tls, failures }: DoorParts,
): TlsDoor {
  if (address.kind !== "tcp" || !address.isTls) return { take, close: () => {} };
  if (options.tls === undefined || tls === undefined) {
    throw new Error("grpc.listen has a tls:// address, and grpc.tls is not set");
  }
  return createTlsDoor({ options: options.tls, credentials: tls, failures, take });
}

function peerOfKind(address: ListenAddress): (socket: Socket) => Peer {
  if (address.kind === "unix") return unixPeerOf;
  if (address.kind === "abstract") return abstractPeerOf;
  return address.isTls ? (socket) => tlsPeerOf(socket as TLSSocket) : tcpPeerOf;
}

/** Ends the sessions, and waits for their connections to close. */
async function shutDown(
  transport: Transport,
  sockets: ReadonlySet<Socket>,
  timeoutMs: number,
): Promise<boolean> {
  transport.closeGracefully();
  const closed = Promise.all(
    [...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))),
  );
  let isCutOff = false;
  const timer = setTimeout(() => {
    isCutOff = true;
    transport.destroy();
    for (const socket of sockets) socket.destroy();
  }, timeoutMs);
  await closed;
  clearTimeout(timer);
  transport.destroy();
  return !isCutOff;
}

/** `/package.Service/Method` → `package.Service`, each once. */
function servicesOf(handlers: UnaryHandlers): string[] {
  return [...new Set([...handlers.keys()].map((path) => path.split("/")[1]!))];
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
