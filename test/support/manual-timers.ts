import type { Timers } from "../../src/base/timers.ts";
import type { ManualClock } from "./manual-clock.ts";

/** Timers that run when told to, on the clock they were made with. */
export interface ManualTimers extends Timers {
  /** Moves the clock and runs what has come due, in order. */
  advance(ms: number): void;
  /** Timers that are neither run nor stopped. */
  pending(): number;
}

/** Makes timers that move `clock`. */
export function manualTimers(clock: ManualClock): ManualTimers {
  const waiting = new Set<{ readonly dueMs: number; readonly task: () => void }>();
  return {
    after(delayMs, task) {
      const timer = { dueMs: clock.monotonicMs() + delayMs, task };
      waiting.add(timer);
      return () => waiting.delete(timer);
    },
    advance(ms) {
      clock.advance(ms);
      const due = [...waiting].filter((timer) => timer.dueMs <= clock.monotonicMs());
      for (const timer of due.toSorted((a, b) => a.dueMs - b.dueMs)) {
        waiting.delete(timer);
        timer.task();
      }
    },
    pending: () => waiting.size,
  };
}
