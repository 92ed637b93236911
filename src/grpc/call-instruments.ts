import type { Labels, Meter } from "../base/meter.ts";
import type { ServedCall } from "./served-call.ts";
import { GrpcCode } from "./status.ts";

/** From an answer out of memory to the second after which nobody waits; Envoy waits 0.2 s. */
const SECONDS = [
  ...[0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005],
  ...[0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1],
];

/** The names of the codes. */
export const codeNames = Object.fromEntries(
  Object.entries(GrpcCode).map(([name, code]) => [code, name]),
) as Record<GrpcCode, string>;

/** What is measured of calls. */
export type CallInstruments = ReturnType<typeof createCallInstruments>;

/** Makes the instruments. Label objects are made once per method and value, not once per call. */
export function createCallInstruments(meter: Meter) {
  const total = meter.counter({
    name: "postern_grpc_calls_total",
    help: "Calls that ended, by method and gRPC status code.",
    labels: ["method", "code"],
  });
  const failures = meter.counter({
    name: "postern_grpc_failures_total",
    help: "Calls without an answer of their own, by method and kind of error. Envoy is told in band.",
    labels: ["method", "reason"],
  });
  const seconds = meter.histogram({
    name: "postern_grpc_call_seconds",
    help: "Time from a request's last byte to its answer, by method and by what the answer says.",
    labels: ["method", "outcome"],
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

  function stream(method: string): (code: GrpcCode) => void {
    const labels: Labels[] = [];
    return (code) => {
      labels[code] ??= { method, code: codeNames[code] };
      total.add(1, labels[code]);
    };
  }

  function unary(method: string): (code: GrpcCode, served: ServedCall, tookMs: number) => void {
    const count = stream(method);
    const outcomes = outcomesOf(method);
    return (code, served, tookMs) => {
      count(code);
      seconds.observe(tookMs / 1_000, outcomes[outcomeOf(served)]);
      const { failure } = served;
      if (failure !== undefined) failures.add(1, { method, reason: failure });
    };
  }

  return { waiting, streams, stream, unary };
}

type Outcome = "allowed" | "denied" | "failed" | "answered";

/** Batches, permission sets and health are answered: they are not one decision. */
function outcomeOf({ decision, failure }: ServedCall): Outcome {
  if (failure !== undefined) return "failed";
  if (decision === undefined) return "answered";
  return decision.allowed ? "allowed" : "denied";
}

function outcomesOf(method: string): Readonly<Record<Outcome, Labels>> {
  return {
    allowed: { method, outcome: "allowed" },
    denied: { method, outcome: "denied" },
    failed: { method, outcome: "failed" },
    answered: { method, outcome: "answered" },
  };
}
