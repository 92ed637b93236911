/**
 * What this process knows of the clock of the Redis server, which decides when keys expire. A reply
 * that carries the server's time was made between the sending of its command and its arrival.
 */
export class RedisTime {
  readonly #samples: Sample[] = [];
  #latest: Sample | undefined;
  #setBacks = 0;

  /** Takes the time of a reply. */
  note(sample: Sample): void {
    const latest = this.#latest;
    // Not even an answer that came at once could have carried so early a time.
    const mostMs = sample.redisMs + (latest === undefined ? 0 : latest.receivedMs - sample.sentMs);
    if (latest !== undefined && mostMs < latest.redisMs - SET_BACK_MS) this.#setBacks += 1;
    this.#latest = sample;
    const last = this.#samples.at(-1);
    if (last !== undefined && sample.receivedMs - last.receivedMs < SPACING_MS) return;
    this.#samples.push(sample);
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /**
   * The server's time at `atMs`, at the latest: what is old by it may be a little younger.
   * `undefined` before the first reply.
   */
  atMost(atMs: number): number | undefined {
    return this.#latest && this.#latest.redisMs + (atMs - this.#latest.sentMs);
  }

  /**
   * The server's time at `atMs`, at the earliest, by a reply that had arrived by then: a process or
   * a machine that was stopped since can't mistake the past for the present. `undefined` without one.
   */
  atLeastAsKnownAt(atMs: number): number | undefined {
    const latest = this.#latest;
    const sample =
      latest !== undefined && latest.receivedMs <= atMs
        ? latest
        : this.#samples.findLast(({ receivedMs }) => receivedMs <= atMs);
    return sample && sample.redisMs + (atMs - sample.receivedMs);
  }

  /** How many times the server's clock was seen to be set back, or another server answered. */
  setBacks(): number {
    return this.#setBacks;
  }
}

/** A reply's time; the instants are `Clock.monotonicMs`. */
export interface Sample {
  readonly sentMs: number;
  readonly receivedMs: number;
  readonly redisMs: number;
}

const SET_BACK_MS = 1_000;
const SPACING_MS = 250;
/** Samples reach back further than any read takes. */
const SAMPLES_MAX = 64;
