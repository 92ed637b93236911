import type { TraceHeaders } from "./trace-context.ts";

/** What is noted of a decision. */
export interface DecisionNote {
  readonly decisionId: string;
  readonly application: string;
  readonly allowed: boolean;
  readonly reason: string;
}

/** How the items of a batch were answered. */
export interface BatchNote {
  readonly allowed: number;
  readonly denied: number;
  readonly failed: number;
}

/** What a call is remembered by in log lines, metrics and spans, beside its answer. */
export interface CallNotes {
  /** Of the trace that the caller is part of; `undefined` if it says none. */
  readonly traceId: string | undefined;
  /**
   * The headers of the request that is asked about, which count where the call's own say nothing; read
   * where somebody wants to know.
   */
  carries(headers: () => TraceHeaders): void;
  /** What was decided; the last word counts. */
  decided(decision: DecisionNote): void;
  decidedBatch(batch: BatchNote): void;
  /** There is no decision, and the answer says so; `kind` is one of `ErrorKind`. */
  failed(kind: string): void;
  /** Does this once the handler's answer is sent; never if the call has been answered otherwise. */
  onceSent(effect: () => void): void;
}
