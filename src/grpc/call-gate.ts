import type { Clock } from "../base/clock.ts";
import { createRefusalCounter } from "../base/early-refusals.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import type { Tracer } from "../base/tracer.ts";
import type { AnswerInBand, UnaryHandler } from "../base/unary-handler.ts";
import { untilDeadline } from "../base/until-deadline.ts";
import { PdpError, toPdpError } from "../decision/error.ts";
import { type CallInstruments, codeNames, createCallInstruments } from "./call-instruments.ts";
import type { GrpcOptions } from "./options.ts";
import { type CallOfCaller, ServedCall } from "./served-call.ts";
import { GrpcCode, type GrpcFailure, grpcFailure } from "./status.ts";

/** What every call passes on its way to a handler: limits, deadline, metrics, spans, error conversion. */
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
export interface GatedCall extends CallOfCaller {
  readonly isCancelled: boolean;
  /** `isOwed`: also where there is no room for it, since no failure may stand in its place. */
  succeed(answer: Uint8Array, isOwed: boolean): void;
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
  /** Left out where calls are not traced. */
  readonly tracer?: Tracer | undefined;
  readonly options: Pick<GrpcOptions, "callsMax" | "streamsMax">;
}

/** Makes the gate that all methods of a server share. */
export function createCallGate(deps: CallGateDeps): CallGate {
  const parts = { ...deps, instruments: createCallInstruments(deps.meter) };
  return { unary: createUnaryGate(parts), stream: createStreamGate(parts) };
}

type GateParts = CallGateDeps & { readonly instruments: CallInstruments };

function createUnaryGate(parts: GateParts): CallGate["unary"] {
  const { clock, logger, options, instruments } = parts;
  const refused = createRefusalCounter(parts.meter);
  let waiting = 0;

  return (method, handler, inBand) => {
    const ended = createEnding(method, parts);

    /** Whether anybody is there to get it. */
    function send(call: GatedCall, served: ServedCall, answer: Uint8Array): boolean {
      const { isCancelled } = call;
      ended(isCancelled ? GrpcCode.CANCELLED : GrpcCode.OK, served);
      call.succeed(answer, inBand !== undefined);
      return !isCancelled;
    }

    function succeed(call: GatedCall, served: ServedCall, answer: Uint8Array): void {
      if (send(call, served, answer)) served.sent();
    }

    function fail(call: GatedCall, served: ServedCall, error: unknown): void {
      const pdpError = toPdpError(error);
      if (pdpError.kind === "internal") logUnforeseen(pdpError, method, { logger, served });
      served.failed(pdpError.kind);
      if (inBand !== undefined) {
        send(call, served, inBand(pdpError));
        return;
      }
      const failure = grpcFailure(pdpError);
      ended(call.isCancelled ? GrpcCode.CANCELLED : failure.code, served);
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
      const served = new ServedCall(call, clock.monotonicMs());
      try {
        if (call.atMonotonicMs <= served.startedMs) {
          if (!call.isCancelled) refused("arrived-late");
          throw expired();
        }
        if (waiting >= options.callsMax) throw tooMany("calls", options.callsMax);
        const answer = handler(request, served);
        if (answer instanceof Promise) {
          inTime(call, answer).then(
            (answered) => succeed(call, served, answered),
            (error) => fail(call, served, error),
          );
        } else succeed(call, served, answer);
      } catch (error) {
        fail(call, served, error);
      }
    }

    function refuse(call: GatedCall, error: unknown): void {
      fail(call, new ServedCall(call, clock.monotonicMs()), error);
    }

    return { serve, refuse };
  };
}

/** Makes what is told of each call of a method when it is over. */
function createEnding(method: string, { clock, tracer, instruments }: GateParts) {
  const measure = instruments.unary(method);
  const name = method.slice(1);
  return (code: GrpcCode, served: ServedCall): void => {
    const tookMs = clock.monotonicMs() - served.startedMs;
    measure(code, served, tookMs);
    if (tracer === undefined) return;
    const { context, decision, batch, failure } = served;
    const status = codeNames[code];
    tracer.ended({ method: name, status, tookMs, context, decision, batch, failure });
  };
}

function createStreamGate({ logger, options, instruments }: GateParts): CallGate["stream"] {
  let open = 0;
  return (method, handler) => {
    const done = instruments.stream(method);
    return async (call) => {
      const fail = (error: unknown): void => {
        const pdpError = toPdpError(error);
        if (pdpError.kind === "internal") logUnforeseen(pdpError, method, { logger });
        call.fail(grpcFailure(pdpError));
      };
      instruments.streams.set(++open);
      if (open > options.streamsMax) fail(tooMany("streams", options.streamsMax));
      else handler(call).catch(fail);
      const code = await call.ended();
      instruments.streams.set(--open);
      done(code);
    };
  };
}

function logUnforeseen(
  error: PdpError,
  method: string,
  { logger, served }: { readonly logger: Logger; readonly served?: ServedCall },
): void {
  logger.error(
    { error: error.cause ?? error, method, traceId: served?.traceId },
    "A call failed for a reason nobody foresaw. The caller was told INTERNAL, not an allow.",
  );
}

function expired(): PdpError {
  return new PdpError("deadline-exceeded", "the deadline had passed when the call arrived");
}

function tooMany(what: string, max: number): PdpError {
  return new PdpError("resource-exhausted", `more than ${max} ${what} at once`);
}
