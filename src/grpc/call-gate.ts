import type { Clock } from "../base/clock.ts";
import type { Deadline } from "../base/deadline.ts";
import type { Logger } from "../base/logger.ts";
import type { Labels, Meter } from "../base/meter.ts";
import type { AnswerInBand, Peer, UnaryHandler } from "../base/unary-handler.ts";
import { untilDeadline } from "../base/until-deadline.ts";
import { PdpError, toPdpError } from "../decision/error.ts";
import type { GrpcOptions } from "./options.ts";
import { GrpcCode, type GrpcFailure, grpcFailure } from "./status.ts";

/** What every call passes on its way to a handler: limits, deadline, metrics, error conversion. */
export interface CallGate {
  /** A failure is the call's status, unless `inBand` makes an answer of it. */
  unary(method: string, handler: UnaryHandler, inBand?: AnswerInBand): UnaryGate;
  stream<Call extends GatedStream>(
    method: string,
    handler: StreamHandler<Call>,
  ): (call: Call) => void;
}

/** What becomes of the calls of one unary method. */
export interface UnaryGate {
  /** Takes a call whose request is there. */
  serve(call: GatedCall, request: Uint8Array): void;
  /** Ends a call whose request can't be read. */
  refuse(call: GatedCall, error: unknown): void;
}

/** A unary call as the gate needs it; `UnaryCall` is one. */
export interface GatedCall extends Deadline {
  readonly peer: Peer;
  readonly isCancelled: boolean;
  succeed(answer: Uint8Array): void;
  fail(failure: GrpcFailure): void;
}

/** A streaming call as the gate needs it; `StreamingCall` is one. */
export interface GatedStream {
  ended(): Promise<GrpcCode>;
  fail(failure: GrpcFailure): void;
}

/** Serves a streaming call; a failure ends it. */
export type StreamHandler<Call> = (call: Call) => Promise<void>;

/** What the gate works with. */
export interface CallGateDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly options: Pick<GrpcOptions, "callsMax" | "streamsMax">;
}

const SECONDS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5];

/** Makes the gate that all methods of a server share. */
export function createCallGate(deps: CallGateDeps): CallGate {
  const parts = { ...deps, instruments: createInstruments(deps.meter) };
  return { unary: createUnaryGate(parts), stream: createStreamGate(parts) };
}

type GateParts = CallGateDeps & { readonly instruments: Instruments };

function createUnaryGate({ clock, logger, options, instruments }: GateParts): CallGate["unary"] {
  let waiting = 0;

  return (method, handler, inBand) => {
    const done = instruments.forMethod(method);

    function succeed(call: GatedCall, answer: Uint8Array, startedMs: number): void {
      done(call.isCancelled ? GrpcCode.CANCELLED : GrpcCode.OK, clock.monotonicMs() - startedMs);
      call.succeed(answer);
    }

    function fail(call: GatedCall, error: unknown, startedMs: number): void {
      const pdpError = pdpErrorOf(error, method, logger);
      if (inBand !== undefined) {
        succeed(call, inBand(pdpError), startedMs);
        return;
      }
      const failure = grpcFailure(pdpError);
      const code = call.isCancelled ? GrpcCode.CANCELLED : failure.code;
      done(code, clock.monotonicMs() - startedMs);
      call.fail(failure);
    }

    // Only what is awaited counts: an answer that is there at once never meets another call. Work
    // counts until it ends, also where its caller's deadline has been the answer.
    function inTime(call: GatedCall, answer: Promise<Uint8Array>): Promise<Uint8Array> {
      instruments.waiting.set(++waiting);
      const ended = answer.finally(() => instruments.waiting.set(--waiting));
      return untilDeadline(ended, call, { clock, late: expired });
    }

    function serve(call: GatedCall, request: Uint8Array): void {
      const startedMs = clock.monotonicMs();
      try {
        if (call.atMonotonicMs <= startedMs) throw expired();
        if (waiting >= options.callsMax) throw tooMany("calls", options.callsMax);
        const answer = handler(request, { peer: call.peer, deadline: call });
        if (answer instanceof Promise) {
          inTime(call, answer).then(
            (answered) => succeed(call, answered, startedMs),
            (error) => fail(call, error, startedMs),
          );
        } else succeed(call, answer, startedMs);
      } catch (error) {
        fail(call, error, startedMs);
      }
    }

    return { serve, refuse: (call, error) => fail(call, error, clock.monotonicMs()) };
  };
}

function createStreamGate({ logger, options, instruments }: GateParts): CallGate["stream"] {
  let open = 0;
  return (method, handler) => {
    const done = instruments.forMethod(method);
    return async (call) => {
      const fail = (error: unknown) => call.fail(grpcFailure(pdpErrorOf(error, method, logger)));
      instruments.streams.set(++open);
      if (open > options.streamsMax) fail(tooMany("streams", options.streamsMax));
      else handler(call).catch(fail);
      const code = await call.ended();
      instruments.streams.set(--open);
      done(code);
    };
  };
}

function pdpErrorOf(error: unknown, method: string, logger: Logger): PdpError {
  const pdpError = toPdpError(error);
  if (pdpError.kind === "internal") {
    logger.error(
      { error: pdpError.cause ?? pdpError, method },
      "A call failed for a reason nobody foresaw. The caller was told INTERNAL, not an allow.",
    );
  }
  return pdpError;
}

function expired(): PdpError {
  return new PdpError("deadline-exceeded", "the deadline had passed when the call arrived");
}

function tooMany(what: string, max: number): PdpError {
  return new PdpError("resource-exhausted", `more than ${max} ${what} at once`);
}

/** Notes the end of a call; `tookMs` is left out for streams, which last as long as they like. */
type Done = (code: GrpcCode, tookMs?: number) => void;

const codeNames = Object.fromEntries(
  Object.entries(GrpcCode).map(([name, code]) => [code, name]),
) as Record<GrpcCode, string>;

type Instruments = ReturnType<typeof createInstruments>;

function createInstruments(meter: Meter) {
  const total = meter.counter({
    name: "postern_grpc_calls_total",
    help: "Calls that ended, by method and gRPC status code.",
    labels: ["method", "code"],
  });
  const seconds = meter.histogram({
    name: "postern_grpc_call_seconds",
    help: "Time from a request's last byte to its answer.",
    labels: ["method"],
    buckets: SECONDS,
  });
  const waiting = meter.gauge({
    name: "postern_grpc_waiting_calls",
    help: "Calls that wait for something, such as the directory.",
  });
  const streams = meter.gauge({
    name: "postern_grpc_streams",
    help: "Streaming calls open, those about to be refused among them.",
  });
  // Label objects are made once per method and code, not once per call.
  const forMethod = (method: string): Done => {
    const labels: Labels[] = [];
    const methodOnly = { method };
    return (code, tookMs) => {
      labels[code] ??= { method, code: codeNames[code] };
      total.add(1, labels[code]);
      if (tookMs !== undefined) seconds.observe(tookMs / 1_000, methodOnly);
    };
  };
  return { waiting, streams, forMethod };
}
