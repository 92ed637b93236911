import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { DecisionFrame, IndeterminateReason } from "../decision/decision.ts";

const INTERVAL_MS = 1_000;

/** Tells operators why evaluations fail. */
export interface FailureLog {
  add(frame: DecisionFrame, failure: { why: IndeterminateReason; message: string }): void;
}

/**
 * Logs at most one failure a second and how many went unlogged, because whoever can send one
 * request that fails can send a million.
 */
export function createFailureLog(logger: Logger, clock: Clock): FailureLog {
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  let unlogged = 0;
  return {
    add({ application, decisionId, revision }, { why, message }) {
      const nowMs = clock.monotonicMs();
      if (nowMs < quietUntilMs) {
        unlogged += 1;
        return;
      }
      logger.warn(
        { application, revision, decisionId, why, detail: message, unlogged },
        "Evaluation failed. The request was denied as indeterminate.",
      );
      quietUntilMs = nowMs + INTERVAL_MS;
      unlogged = 0;
    },
  };
}
