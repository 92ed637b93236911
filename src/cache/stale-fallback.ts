import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Counter, Meter } from "../base/meter.ts";
import { type PdpError, toPdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { LastKnownSets } from "./cache.ts";
import type { SetQuery } from "./permission-sets.ts";

/** What the fallback is handed. */
export interface StaleFallbackDeps {
  readonly cache: LastKnownSets;
  /** Up to when the directory was looked at for changes; see `Directory`. */
  readonly announcedUpToMs: () => number;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  readonly meter: Meter;
}

const LOG_INTERVAL_MS = 1_000;
const RETRY_INTERVAL_MS = 1_000;

/** Uses sets beyond their time while the directory can't be read; counts it, and says so. */
export class StaleFallback {
  readonly #deps: StaleFallbackDeps;
  readonly #served: Counter;
  /** When a read failed last, unless one has succeeded since. */
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(deps: StaleFallbackDeps) {
    this.#deps = deps;
    this.#served = deps.meter.counter({
      name: "postern_stale_sets_total",
      help: "Requests answered from a set beyond its time, because the directory can't be read.",
    });
  }

  /** Hears how each read of the directory ended, whoever it was for. */
  readonly ended = (failure: PdpError | undefined): void => {
    if (failure === undefined) this.#failedAtMs = Number.NEGATIVE_INFINITY;
    if (failure?.kind !== "unavailable") return;
    this.#failedAtMs = this.#deps.clock.monotonicMs();
    this.#retryAtMs = this.#failedAtMs + RETRY_INTERVAL_MS;
  };

  /**
   * What `read` gives; a set beyond its time where that fails because the directory is away. Nobody
   * waits for a directory that has failed and has not been heard of since.
   */
  async over(query: SetQuery, read: () => Promise<PermissionSet>): Promise<PermissionSet> {
    const isAway = this.#failedAtMs > this.#deps.announcedUpToMs();
    const atOnce = isAway ? this.#setFor(query) : undefined;
    if (atOnce !== undefined) {
      this.#retry(read);
      return atOnce;
    }
    try {
      return await read();
    } catch (error) {
      if (toPdpError(error).kind !== "unavailable") throw error;
      const instead = this.#setFor(query);
      if (instead === undefined) throw error;
      return instead;
    }
  }

  /** Looks at the directory's changes may be rare, or have ended. */
  #retry(read: () => Promise<PermissionSet>): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs < this.#retryAtMs) return;
    this.#retryAtMs = nowMs + RETRY_INTERVAL_MS;
    // How it ends is heard of by `ended`.
    read().catch(() => {});
  }

  #setFor(query: SetQuery): PermissionSet | undefined {
    const { minimumGeneration, bypassCache } = query.consistency;
    const set = bypassCache ? undefined : this.#deps.cache.lastKnown(query);
    if (set === undefined || set.generation < minimumGeneration) return undefined;
    this.#served.add(1);
    this.#log(set.lastKnownMs!);
    return set;
  }

  /** At most once a second: while it lasts, it is so of every request. */
  #log(lastKnownMs: number): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs < this.#quietUntilMs) {
      this.#unlogged += 1;
      return;
    }
    this.#deps.logger.warn(
      { stalenessMs: Math.round(nowMs - lastKnownMs), unlogged: this.#unlogged },
      "Answering from permission sets beyond their time: the directory can't be read.",
    );
    this.#quietUntilMs = nowMs + LOG_INTERVAL_MS;
    this.#unlogged = 0;
  }
}
