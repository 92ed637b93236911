import type { Clock } from "../base/clock.ts";
import type { Timers } from "../base/timers.ts";

/** Does what nobody waits for, in the time that serving leaves. */
export interface SpareTime {
  /** Runs the task later, never before it returns; `false` = too many wait, and it is dropped. */
  offer(task: () => void): boolean;
}

/** What spare time is made of. */
export interface SpareTimeDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Tasks that wait. */
  readonly queueMax: number;
  /** Share of the thread's time that tasks may take, above 0. */
  readonly timeRatio: number;
}

/** Longest stretch of tasks in one turn of the event loop; the last of them may exceed it. */
const SLICE_MS = 1;

/**
 * Makes spare time. After a slice it rests for as long as the ratio asks, so that tasks which take
 * long come seldom. Tasks don't throw.
 */
export function createSpareTime({ clock, timers, queueMax, timeRatio }: SpareTimeDeps): SpareTime {
  const waiting: (() => void)[] = [];
  let isPlanned = false;
  let restsUntilMs = Number.NEGATIVE_INFINITY;

  function plan(): void {
    isPlanned = true;
    // A timer comes after what this turn of the event loop has to write.
    timers.after(Math.max(0, restsUntilMs - clock.monotonicMs()), runSlice);
  }

  function runSlice(): void {
    const startMs = clock.monotonicMs();
    let nowMs = startMs;
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
      task();
      nowMs = clock.monotonicMs();
      if (nowMs - startMs >= SLICE_MS) break;
    }
    restsUntilMs = nowMs + (nowMs - startMs) * (1 / timeRatio - 1);
    isPlanned = false;
    if (waiting.length > 0) plan();
  }

  return {
    offer(task) {
      if (waiting.length >= queueMax) return false;
      waiting.push(task);
      if (!isPlanned) plan();
      return true;
    },
  };
}
