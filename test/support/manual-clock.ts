import type { Clock } from "../../src/base/clock.ts";

/** A clock that moves when told to. */
export interface ManualClock extends Clock {
  /** Moves both scales forward. */
  advance(ms: number): void;
  /** Steps the wall clock alone, as an operator or NTP does. */
  stepWall(ms: number): void;
}

/** Starts at `wallMs`, 2026-01-05T10:00:00Z (a Monday) unless given. */
export function manualClock(wallMs: number = Date.parse("2026-01-05T10:00:00Z")): ManualClock {
  let wall = wallMs;
  let monotonic = 1_000;
  return {
    wallMs: () => wall,
    wallNs: () => BigInt(wall) * 1_000_000n,
    monotonicMs: () => monotonic,
    advance: (ms) => {
      wall += ms;
      monotonic += ms;
    },
    stepWall: (ms) => {
      wall += ms;
    },
  };
}
