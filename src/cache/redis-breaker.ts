import type { Logger } from "../base/logger.ts";
import type { Gauge, Meter } from "../base/meter.ts";
import type { Timers } from "../base/timers.ts";
import type { RedisClient } from "./redis-client.ts";
import { isSilence, type RedisFailure, redisFailure } from "./redis-failure.ts";

/** Keeps calls from a Redis that doesn't answer, and finds out when it does again. */
export interface Breaker {
  /** Whether calls may be sent. */
  isClosed(): boolean;
  noteFailure(failure: RedisFailure): void;
  /** Takes what the client reports; the last one is logged when calls are kept from it. */
  noteError(error: Error): void;
  /** Why the client could not connect last, since Redis answered last. */
  lastError(): string | undefined;
  /** Finds out now; resolves when it is known. */
  probe(): Promise<void>;
  /** Grows each time that it opens. */
  epoch(): number;
  close(): void;
}

/** What a breaker is made of. */
export interface BreakerDeps {
  readonly data: Pick<RedisClient, "call">;
  readonly where: string;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly timers: Timers;
}

const PROBE_INTERVAL_MS = 100;

/** Makes a breaker that is open until the first probe succeeds. */
export function createBreaker(deps: BreakerDeps): Breaker {
  return new ProbingBreaker(deps);
}

class ProbingBreaker implements Breaker {
  readonly #deps: BreakerDeps;
  readonly #up: Gauge;
  #isClosed = false;
  #isEnded = false;
  #epoch = 0;
  #lastError: string | undefined;
  #stopTimer: (() => void) | undefined;
  #probing: Promise<void> | undefined;

  constructor(deps: BreakerDeps) {
    this.#deps = deps;
    this.#up = deps.meter.gauge({
      name: "postern_redis_up",
      help: "1 while Redis is asked, 0 while it is not because it does not answer.",
    });
    this.#up.set(0);
    this.#schedule();
  }

  isClosed(): boolean {
    return this.#isClosed;
  }

  noteFailure(why: RedisFailure): void {
    if (!isSilence(why) || !this.#isClosed || this.#isEnded) return;
    this.#isClosed = false;
    this.#epoch += 1;
    this.#up.set(0);
    const { logger, where } = this.#deps;
    logger.warn({ where, why }, "Redis does not answer; going on without it, and asking it again.");
    this.#schedule();
  }

  noteError(error: Error): void {
    // The text alone: the error carries the command, which may have been the login.
    this.#lastError = error.message;
  }

  lastError(): string | undefined {
    return this.#lastError;
  }

  probe(): Promise<void> {
    this.#probing ??= this.#ping().finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  epoch(): number {
    return this.#epoch;
  }

  close(): void {
    this.#isEnded = true;
    this.#isClosed = false;
    this.#stopTimer?.();
  }

  #schedule(): void {
    if (this.#isEnded) return;
    this.#stopTimer?.();
    this.#stopTimer = this.#deps.timers.after(PROBE_INTERVAL_MS, () => void this.probe());
  }

  async #ping(): Promise<void> {
    if (this.#isClosed || this.#isEnded) return;
    const { data, logger, where } = this.#deps;
    try {
      await data.call(["PING"]);
    } catch (error) {
      // That there is no connection says less than why; the client reports that itself.
      if (redisFailure(error) !== "closed") this.noteError(error as Error);
      this.#schedule();
      return;
    }
    if (this.#isEnded) return;
    this.#stopTimer?.();
    this.#isClosed = true;
    this.#up.set(1);
    logger.info({ where, lastError: this.#lastError }, "Redis answers.");
    this.#lastError = undefined;
  }
}
