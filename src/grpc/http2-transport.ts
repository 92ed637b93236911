import {
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import { traceHeadersOf } from "../base/trace-context.ts";
import type { Peer } from "../base/unary-handler.ts";
import { answerFailure, answerHttp } from "./answer.ts";
import { ByteBudget } from "./byte-budget.ts";
import { type OpenCall, OpenCalls } from "./open-calls.ts";
import type { GrpcOptions } from "./options.ts";
import { type CallHeaders, httpRefusal, readCallHeaders } from "./request-headers.ts";
import { closeGracefully, limitLifetime } from "./session-lifetime.ts";
import { GrpcCode } from "./status.ts";
import { StreamingCall } from "./streaming-call.ts";
import { UnaryCall, type UnaryCallParts } from "./unary-call.ts";

/** How the calls of one method are served. */
export type Method =
  | ({ readonly kind: "unary" } & Pick<UnaryCallParts, "serve" | "refuse">)
  | { readonly kind: "stream"; readonly serve: (call: StreamingCall) => void };

/** What a transport is made of. */
export interface TransportParts {
  /** By path, `/package.Service/Method`; nothing else is ever served, whatever it resembles. */
  readonly methods: ReadonlyMap<string, Method>;
  readonly peerOf: (socket: Socket) => Peer;
  /** A connection was closed, since what came by it isn't HTTP/2. */
  readonly onNotHttp2: (peer: string | undefined) => void;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly options: GrpcOptions;
}

/** gRPC on connections that somebody else accepts. */
export interface Transport {
  take(socket: Socket): void;
  /** Calls in flight finish; no new ones are taken. */
  closeGracefully(): void;
  /** Cuts off what is left. */
  destroy(): void;
}

/**
 * An Envoy that times out cancels all it has asked, 1,000 calls in a stall of 200 ms at 5,000 a
 * second, and must keep its connection. More than that is an attack: Node reads up to 2 MB of a
 * connection at once, and 10,000 calls with their resets among them hold up all others for a second.
 */
const RESETS_BURST = 5_000;
const RESETS_PER_SECOND = 1_500;

/** What one connection can take of the bytes that all may hold, so that others find some left. */
const CONNECTION_SHARE = 1 / 2;

/** Fields of a header block; Envoy allows 100, and one byte on the wire may mean a whole field. */
const HEADER_FIELDS_MAX = 100;

/** `NGHTTP2_ERR_BAD_CLIENT_MAGIC`, which Node's constants lack. */
const BAD_CLIENT_MAGIC = -903;

/** gRPC over Node's HTTP/2. */
export function createHttp2Transport(parts: TransportParts): Transport {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(serverOptions(parts.options));
  const calls = new OpenCalls();
  const budget = new ByteBudget(parts.options.heldBytesMax);
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    serveSession(session, { ...parts, calls, budget });
  });
  return {
    take: (socket) => server.emit("connection", socket),
    closeGracefully: () => {
      for (const session of sessions) closeGracefully(session);
    },
    destroy: () => {
      calls.stop();
      for (const session of sessions) session.destroy();
    },
  };
}

function serverOptions(options: GrpcOptions): ServerOptions {
  return {
    settings: { maxConcurrentStreams: options.concurrentStreamsMax },
    // Node counts this one in megabytes.
    maxSessionMemory: Math.ceil(options.sessionMemoryMaxBytes / 1e6),
    maxHeaderListPairs: HEADER_FIELDS_MAX,
    streamResetBurst: RESETS_BURST,
    streamResetRate: RESETS_PER_SECOND,
  };
}

interface SharedParts extends TransportParts {
  readonly calls: OpenCalls;
  /** Of all connections in `serveSession`, then of one. */
  readonly budget: ByteBudget;
}

interface SessionParts extends SharedParts {
  readonly peer: Peer;
}

function serveSession(session: ServerHttp2Session, shared: SharedParts): void {
  const { calls, options } = shared;
  const lifetime = limitLifetime(session, options);
  const { remoteAddress } = session.socket;
  session.on("error", ({ errno }: NodeJS.ErrnoException) => {
    if (errno === BAD_CLIENT_MAGIC) shared.onNotHttp2(remoteAddress);
  });
  const budget = new ByteBudget(options.heldBytesMax * CONNECTION_SHARE, shared.budget);
  const parts: SessionParts = { ...shared, budget, peer: shared.peerOf(session.socket) };
  function closed(this: ServerHttp2Stream): void {
    lifetime.closed();
    calls.closed(this);
  }
  session.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    lifetime.opened();
    stream.on("close", closed);
    // Of a stream that breaks, "close" tells all there is to know.
    stream.on("error", ignore);
    serveStream(stream, headers, parts);
  });
}

function ignore(): void {}

function serveStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  parts: SessionParts,
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
  else parts.calls.add(stream, openCall(stream, { ...read, method, headers }, parts));
}

/** A call of a method that there is. */
interface AcceptedCall extends CallHeaders {
  readonly method: Method;
  readonly headers: IncomingHttpHeaders;
}

function openCall(
  stream: ServerHttp2Stream,
  { method, headers, timeoutMs, decompress }: AcceptedCall,
  parts: SessionParts,
): OpenCall {
  const { peer, clock, budget } = parts;
  const { requestBytesMax } = parts.options;
  if (method.kind === "stream") {
    const call = new StreamingCall({ stream, decompress, requestBytesMax, budget });
    method.serve(call);
    return call;
  }
  const deadlineMs = timeoutMs === Infinity ? timeoutMs : clock.monotonicMs() + timeoutMs;
  const { serve, refuse } = method;
  return new UnaryCall({
    stream,
    peer,
    headers: traceHeadersOf(headers),
    deadlineMs,
    decompress,
    requestBytesMax,
    budget,
    serve,
    refuse,
  });
}
