import type { BatchNote, DecisionNote } from "./call-notes.ts";
import type { TraceContext } from "./trace-context.ts";

/** A call that is over. */
export interface EndedCall {
  /** `package.Service/Method` */
  readonly method: string;
  /** Name of the gRPC status. */
  readonly status: string;
  readonly tookMs: number;
  /** The caller's. */
  readonly context: TraceContext | undefined;
  readonly decision: DecisionNote | undefined;
  readonly batch: BatchNote | undefined;
  /** The kind of error, where there was no decision. */
  readonly failure: string | undefined;
}

/** Tells a tracing system of calls. It neither throws nor waits. */
export interface Tracer {
  ended(call: EndedCall): void;
}
