const KEPT = 16;

/**
 * How long the last reads that succeeded took. The shortest of them is what a read takes at least:
 * an estimate that refuses nobody whom an ordinary read would have served in time.
 */
export class ReadTimes {
  readonly #tookMs: number[] = [];
  #next = 0;
  #leastMs = 0;

  note(tookMs: number): void {
    this.#tookMs[this.#next] = tookMs;
    this.#next = (this.#next + 1) % KEPT;
    this.#leastMs = Math.min(...this.#tookMs);
  }

  /** 0 before the first read. */
  get leastMs(): number {
    return this.#leastMs;
  }
}
