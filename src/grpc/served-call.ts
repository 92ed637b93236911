import type { BatchNote, CallNotes, DecisionNote } from "../base/call-notes.ts";
import type { Deadline } from "../base/deadline.ts";
import { readTraceContext, type TraceContext, type TraceHeaders } from "../base/trace-context.ts";
import type { Peer, UnaryCall } from "../base/unary-handler.ts";

/** What is served, as the transport knows it; its deadline is that of the caller. */
export interface CallOfCaller extends Deadline {
  readonly peer: Peer;
  /** The call's metadata, where it may name a trace. */
  readonly headers: TraceHeaders;
}

/**
 * The part of the caller's time that is left for the way back, so that an answer which says that
 * there is none arrives before the caller gives up: 10 ms of the 200 that Envoy waits.
 */
const RESERVED_SHARE = 1 / 20;
const RESERVED_MS_MAX = 10;

/** A call as its handler sees it. It is its own deadline, and its own notes: one object for each. */
export class ServedCall implements UnaryCall, Deadline, CallNotes {
  readonly peer: Peer;
  /** On the monotonic clock. */
  readonly startedMs: number;
  decision: DecisionNote | undefined;
  batch: BatchNote | undefined;
  failure: string | undefined;
  readonly #call: CallOfCaller;
  readonly #reservedMs: number;
  #carried: (() => TraceHeaders) | undefined;
  #onceSent: (() => void) | undefined;

  constructor(call: CallOfCaller, startedMs: number) {
    this.peer = call.peer;
    this.startedMs = startedMs;
    this.#call = call;
    const share = (call.atMonotonicMs - startedMs) * RESERVED_SHARE;
    this.#reservedMs = Math.max(0, Math.min(share, RESERVED_MS_MAX));
  }

  get deadline(): Deadline {
    return this;
  }

  get notes(): CallNotes {
    return this;
  }

  get atMonotonicMs(): number {
    return this.#call.atMonotonicMs - this.#reservedMs;
  }

  /** Read only where somebody wants to know: few calls are logged, and not all are traced. */
  get context(): TraceContext | undefined {
    const own = readTraceContext(this.#call.headers);
    return own ?? (this.#carried && readTraceContext(this.#carried()));
  }

  get traceId(): string | undefined {
    return this.context?.traceId;
  }

  carries(headers: () => TraceHeaders): void {
    this.#carried = headers;
  }

  decided(decision: DecisionNote): void {
    this.decision = decision;
  }

  decidedBatch(batch: BatchNote): void {
    this.batch = batch;
  }

  failed(kind: string): void {
    this.failure = kind;
  }

  onceSent(effect: () => void): void {
    this.#onceSent = effect;
  }

  /** What the handler has answered is on its way. */
  sent(): void {
    this.#onceSent?.();
  }
}
