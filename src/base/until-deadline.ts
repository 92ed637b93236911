import type { Clock } from "./clock.ts";
import { type Deadline, remainingMs, TIMER_MS_MAX } from "./deadline.ts";
import { systemTimers, type Timers } from "./timers.ts";

/** Whose time it is, and what a wait that was too long fails with. */
export interface UntilDeadlineDeps {
  readonly clock: Clock;
  readonly late: () => Error;
  /** The process's own unless given. */
  readonly timers?: Timers;
}

/**
 * `outcome`, unless the deadline passes first. The work goes on then, and its outcome is nobody's.
 */
export function untilDeadline<T>(
  outcome: Promise<T>,
  deadline: Deadline,
  { clock, late, timers = systemTimers }: UntilDeadlineDeps,
): Promise<T> {
  const leftMs = remainingMs(clock, deadline);
  // A later one is as good as none, and would be a timer that fires at once.
  if (leftMs > TIMER_MS_MAX) return outcome;
  return new Promise((resolve, reject) => {
    const stopTimer = timers.after(leftMs, () => reject(late()));
    outcome.then(resolve, reject).finally(stopTimer);
  });
}
