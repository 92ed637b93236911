import type { Clock } from "./clock.ts";

/** Longest time that a timer of the event loop can be set to: beyond it, it fires at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** The instant after which nobody waits for an answer any more. */
export interface Deadline {
  /**
   * On the scale of `Clock.monotonicMs`; `Infinity` if the caller set none. It may come to lie in
   * the past at any time, when the caller gives up.
   */
  readonly atMonotonicMs: number;
}

/** For work that nobody waits for, such as a start-up or a command. */
export const noDeadline: Deadline = { atMonotonicMs: Number.POSITIVE_INFINITY };

/** A deadline `timeoutMs` from now. */
export function deadlineIn(clock: Clock, timeoutMs: number): Deadline {
  return { atMonotonicMs: clock.monotonicMs() + timeoutMs };
}

/** Milliseconds left, 0 when passed, `Infinity` without a deadline. */
export function remainingMs(clock: Clock, deadline: Deadline): number {
  return Math.max(0, deadline.atMonotonicMs - clock.monotonicMs());
}
