import {
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import type { Clock } from "../base/clock.ts";
import type { Deadline } from "../base/deadline.ts";
import type { Logger } from "../base/logger.ts";
import type { Labels, Meter } from "../base/meter.ts";
import type { Peer, UnaryHandler } from "../base/unary-handler.ts";
import { PdpError, toPdpError } from "../decision/error.ts";
import type { GrpcOptions } from "./options.ts";
import { grpcStatus } from "./status.ts";

/** What every call passes on its way to a handler: limits, deadline, metrics, error conversion. */
export interface CallGate {
  unary(method: string, handler: UnaryHandler, peer: Peer): handleUnaryCall<Uint8Array, Uint8Array>;
  stream<Call extends StreamingCall>(
    method: string,
    handler: (call: Call) => void,
  ): (call: Call) => void;
}

/** A call whose answer is a stream. */
export type StreamingCall =
  | ServerWritableStream<Uint8Array, Uint8Array>
  | ServerDuplexStream<Uint8Array, Uint8Array>;

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

type Call = ServerUnaryCall<Uint8Array, Uint8Array>;

type GateParts = CallGateDeps & { readonly instruments: Instruments };

function createUnaryGate({ clock, logger, options, instruments }: GateParts): CallGate["unary"] {
  let waiting = 0;

  // Only what is awaited counts: an answer that is there at once never meets another call.
  async function settle(answer: Promise<Uint8Array>): Promise<Uint8Array> {
    instruments.waiting.set(++waiting);
    try {
      return await answer;
    } finally {
      instruments.waiting.set(--waiting);
    }
  }

  return (method, handler, peer) => {
    const done = instruments.forMethod(method);
    return (call, respond) => {
      const startedMs = clock.monotonicMs();
      const succeed = (answer: Uint8Array): void => {
        done(call.cancelled ? status.CANCELLED : status.OK, clock.monotonicMs() - startedMs);
        respond(null, answer);
      };
      const fail = (error: unknown): void => {
        const failure = grpcStatus(pdpErrorOf(error, method, logger));
        done(call.cancelled ? status.CANCELLED : failure.code, clock.monotonicMs() - startedMs);
        respond(failure);
      };
      try {
        const deadline = new CallDeadline(call, deadlineMs(call, clock, startedMs));
        if (deadline.atMonotonicMs <= startedMs) throw expired();
        if (waiting >= options.callsMax) throw tooMany("calls", options.callsMax);
        const answer = handler(call.request, { peer, deadline });
        if (answer instanceof Promise) settle(answer).then(succeed, fail);
        else succeed(answer);
      } catch (error) {
        fail(error);
      }
    };
  };
}

function createStreamGate({ logger, options, instruments }: GateParts): CallGate["stream"] {
  let open = 0;
  return (method, handler) => {
    const done = instruments.forMethod(method);
    return (call) => {
      let failure: status | undefined;
      call.on("error", (error: { code?: status }) => {
        failure = error.code ?? status.UNKNOWN;
      });
      instruments.streams.set(++open);
      call.on("close", () => {
        instruments.streams.set(--open);
        // A call counts as cancelled after an error status too, so that the error comes first.
        done(failure ?? (call.cancelled ? status.CANCELLED : status.OK));
      });
      try {
        if (open > options.streamsMax) throw tooMany("streams", options.streamsMax);
        handler(call);
      } catch (error) {
        call.emit("error", grpcStatus(pdpErrorOf(error, method, logger)));
      }
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

/**
 * grpc-js gives the deadline as wall-clock time; it is measured from here on without the wall. It
 * keeps timeouts in 32 bits of milliseconds, so that one of more than 24 days has passed at once:
 * DEADLINE_EXCEEDED where a caller meant for ever.
 */
function deadlineMs(call: Call, clock: Clock, nowMonotonicMs: number): number {
  const deadline = call.getDeadline();
  if (deadline === Number.POSITIVE_INFINITY) return deadline;
  return nowMonotonicMs + Number(deadline) - clock.wallMs();
}

/** A cancelled call is one whose deadline has passed: nobody waits for its answer. */
class CallDeadline implements Deadline {
  readonly #call: Call;
  readonly #atMonotonicMs: number;

  constructor(call: Call, atMonotonicMs: number) {
    this.#call = call;
    this.#atMonotonicMs = atMonotonicMs;
  }

  get atMonotonicMs(): number {
    return this.#call.cancelled ? Number.NEGATIVE_INFINITY : this.#atMonotonicMs;
  }
}

function expired(): PdpError {
  return new PdpError("deadline-exceeded", "the deadline had passed when the call arrived");
}

function tooMany(what: string, max: number): PdpError {
  return new PdpError("resource-exhausted", `more than ${max} ${what} at once`);
}

/** Notes the end of a call; `tookMs` is left out for streams, which last as long as they like. */
type Done = (code: status, tookMs?: number) => void;

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
      labels[code] ??= { method, code: status[code] ?? String(code) };
      total.add(1, labels[code]);
      if (tookMs !== undefined) seconds.observe(tookMs / 1_000, methodOnly);
    };
  };
  return { waiting, streams, forMethod };
}
