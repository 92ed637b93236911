import type { CallNotes } from "../base/call-notes.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { DecisionFrame } from "../decision/decision.ts";

const INTERVAL_MS = 1_000;

/** Tells operators why evaluations fail. */
export interface FailureLog {
  add(frame: DecisionFrame, failure: Failure): void;
}

/** Why there was no answer of a policy's. */
export interface Failure {
  readonly why: string;
  readonly message: string;
  readonly cause?: unknown;
  /** Of the call that it happened in. */
  readonly notes?: Pick<CallNotes, "traceId"> | undefined;
}

/**
 * Logs with `text` at most one failure a second and how many went unlogged, because whoever can send one
 * request that fails can send a million.
 */
export function createFailureLog(
  logger: Logger,
  clock: Clock,
  text = "Evaluation failed. The request was denied.",
): FailureLog {
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  let unlogged = 0;
  return {
    add({ application, decisionId, revision }, { why, message, cause, notes }) {
      const nowMs = clock.monotonicMs();
      if (nowMs < quietUntilMs) {
        unlogged += 1;
        return;
      }
      logger.warn(
        {
          ...{ application, revision, decisionId, traceId: notes?.traceId },
          ...{ why, detail: message, error: cause, unlogged },
        },
        text,
      );
      quietUntilMs = nowMs + INTERVAL_MS;
      unlogged = 0;
    },
  };
}
