import {
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Peer } from "../base/unary-handler.ts";
import { answerFailure, answerHttp } from "./answer.ts";
import type { GrpcOptions } from "./options.ts";
import { type CallHeaders, httpRefusal, readCallHeaders } from "./request-headers.ts";
import { closeGracefully, limitLifetime } from "./session-lifetime.ts";
import { GrpcCode } from "./status.ts";
import { StreamingCall } from "./streaming-call.ts";
import { UnaryCall } from "./unary-call.ts";

/** How the calls of one method are served. */
export type Method =
  | {
      readonly kind: "unary";
      readonly serve: (call: UnaryCall, request: Uint8Array) => void;
    }
  | { readonly kind: "stream"; readonly serve: (call: StreamingCall) => void };

/** What a transport is made of. */
export interface TransportParts {
  /** By path, `/package.Service/Method`; nothing else is ever served, whatever it resembles. */
  readonly methods: ReadonlyMap<string, Method>;
  readonly peerOf: (socket: Pick<Socket, "remoteAddress">) => Peer;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly options: GrpcOptions;
}

/** gRPC on connections that somebody else accepts. */
export interface Transport {
  take(socket: Socket): void;
  /** Calls in flight finish; no new ones are taken. */
  closeGracefully(): void;
  destroy(): void;
}

/**
 * Cancelled calls are cheap: the work for one is done within the turn that read it, or it waits for
 * a read that others share. So a connection may cancel as many as an Envoy does that times out at
 * its full rate; Node ends it only beyond that.
 */
const RESETS_BURST = 20_000;
const RESETS_PER_SECOND = 10_000;

/** gRPC over Node's HTTP/2. */
export function createHttp2Transport(parts: TransportParts): Transport {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(serverOptions(parts.options));
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    serveSession(session, parts);
  });
  return {
    take: (socket) => server.emit("connection", socket),
    closeGracefully: () => {
      for (const session of sessions) closeGracefully(session);
    },
    destroy: () => {
      for (const session of sessions) session.destroy();
    },
  };
}

function serverOptions(options: GrpcOptions): ServerOptions {
  return {
    settings: { maxConcurrentStreams: options.concurrentStreamsMax },
    // Node counts this one in megabytes.
    maxSessionMemory: Math.ceil(options.sessionMemoryMaxBytes / 1e6),
    streamResetBurst: RESETS_BURST,
    streamResetRate: RESETS_PER_SECOND,
  };
}

function serveSession(session: ServerHttp2Session, parts: TransportParts): void {
  const peer = parts.peerOf(session.socket);
  const lifetime = limitLifetime(session, parts.options);
  session.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    lifetime.opened();
    stream.on("close", lifetime.closed);
    // Of a stream that breaks, "close" tells all there is to know.
    stream.on("error", ignore);
    serveStream(stream, headers, { ...parts, peer });
  });
}

function ignore(): void {}

function serveStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  parts: TransportParts & { readonly peer: Peer },
): void {
  const httpStatus = httpRefusal(headers);
  if (httpStatus !== undefined) {
    answerHttp(stream, httpStatus);
    return;
  }
  const method = parts.methods.get(headers[":path"]!);
  if (method === undefined) {
    const message = "there is no such method";
    answerFailure(stream, { code: GrpcCode.UNIMPLEMENTED, message });
    return;
  }
  const read = readCallHeaders(headers);
  if ("code" in read) answerFailure(stream, read);
  else openCall(stream, read, { ...parts, method });
}

function openCall(
  stream: ServerHttp2Stream,
  { timeoutMs, decompress }: CallHeaders,
  parts: TransportParts & { readonly peer: Peer; readonly method: Method },
): void {
  const { peer, method, clock } = parts;
  const { requestBytesMax } = parts.options;
  if (method.kind === "stream") {
    method.serve(new StreamingCall({ stream, decompress, requestBytesMax }));
    return;
  }
  const deadlineMs = timeoutMs === Infinity ? timeoutMs : clock.monotonicMs() + timeoutMs;
  const { serve } = method;
  new UnaryCall({ stream, peer, deadlineMs, decompress, requestBytesMax, serve });
}
