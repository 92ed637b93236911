/** Time as the process may see it; handed in everywhere so that tests own it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump; for timestamps and expiry, never for durations. */
  wallMs(): number;
  /** Nanoseconds since the Unix epoch, for `time.now_ns` and decision ids. */
  wallNs(): bigint;
  /** Milliseconds from an arbitrary origin, never going back; for deadlines, TTLs and durations. */
  monotonicMs(): number;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  // Sub-millisecond digits are not available without a second clock that could disagree.
  wallNs: () => BigInt(Date.now()) * 1_000_000n,
  monotonicMs: () => performance.now(),
};
