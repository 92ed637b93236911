import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import type { ChangeHead } from "./announcement-codec.ts";
import type { SetChange } from "./cache.ts";
import {
  type ChangeChannel,
  type ChangePage,
  type FoundHead,
  PAGE_ENTRIES,
} from "./change-channel.ts";
import { ChangeIndex } from "./change-index.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import type { ChangeSource, KnownChanges } from "./redis-announcements.ts";
import type { RedisConnection } from "./redis-connection.ts";
import type { RedisTime } from "./redis-time.ts";

/** What a reader is made of. */
export interface ChangeReaderDeps {
  readonly channel: ChangeChannel;
  readonly connection: Pick<RedisConnection, "epoch">;
  readonly source: Pick<ChangeSource, "generation">;
  readonly listener: (change: SetChange) => void;
  readonly time: RedisTime;
  readonly trustedMs: number;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  readonly meter: Meter;
}

/** Each brings the work on by a page, or begins an incarnation; the next call goes on. */
const ROUNDS_MAX = 50;

/** Hears of what was published, and knows what may be relied on. */
export class ChangeReader {
  /**
   * Resolves when everything published before the call is known; `false` if Redis can't say. Finds
   * no head, or one that can't be believed: then it begins a new incarnation.
   */
  readonly catchUp = oneAtATime(() => this.#read());
  readonly #deps: ChangeReaderDeps;
  readonly #meters: ReturnType<typeof instruments>;
  #head: ChangeHead | undefined;
  #index: ChangeIndex | undefined;
  #caughtUp: { readonly epoch: number; readonly atMs: number } | undefined;
  #setBacks = 0;
  /** Its sets would outlive their time, since the server's clock was set back. */
  #endedIncarnation: string | undefined;
  /** What is in Redis is of another past of the directory. */
  #mustBegin = false;

  constructor(deps: ChangeReaderDeps) {
    this.#deps = deps;
    this.#meters = instruments(deps.meter);
  }

  /** As last read. */
  get head(): ChangeHead | undefined {
    return this.#head;
  }

  /** The generation up to which all changes are taken into account; 0 before the first. */
  get upTo(): number {
    return this.#index?.upTo ?? 0;
  }

  /** What is known; `undefined` unless it was caught up with lately, with the server that answers. */
  known(): KnownChanges | undefined {
    const [head, index] = [this.#head, this.#index];
    if (head === undefined || index === undefined || !this.isTrusted()) return undefined;
    return {
      incarnation: head.incarnation,
      generation: index.upTo,
      touchedAt: (subjectId) => Math.max(head.all, index.touchedAt(subjectId)),
    };
  }

  /** Whether what is known is complete but for what was published a moment ago. */
  isTrusted(): boolean {
    const { connection, clock, trustedMs } = this.#deps;
    const caughtUp = this.#caughtUp;
    return (
      caughtUp !== undefined &&
      caughtUp.epoch === connection.epoch() &&
      clock.monotonicMs() - caughtUp.atMs < trustedMs
    );
  }

  /** Takes a change that this process has from the directory itself. */
  note(change: SetChange): void {
    const index = this.#index;
    // The directory numbers its changes without gaps.
    if (index?.upTo === change.generation - 1) index.take(change, index.upTo);
    else index?.note(change);
  }

  /**
   * The directory is another copy: what is known is about another past, and so are the sets in
   * Redis, which nobody here uses until they have begun anew.
   */
  restart(generation: number): void {
    this.#index?.restart(generation);
    this.#caughtUp = undefined;
    this.#mustBegin = true;
    this.#tell({ generation, subjects: "all", isRestart: true });
  }

  async #read(): Promise<boolean> {
    const { channel, connection, clock } = this.#deps;
    const began = { epoch: connection.epoch(), atMs: clock.monotonicMs() };
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const answer = await channel.read(this.#index?.upTo);
      if (answer.failure !== undefined) return false;
      const page = answer.value;
      if (this.#mustBegin || page.head === "none") {
        if (!(await this.#begin(page.found))) return false;
        continue;
      }
      this.#noteSetBack(page.head);
      this.#adopt(page.head);
      if (!this.#takePage(page.head, page.entries)) continue;
      if (page.head.incarnation !== this.#endedIncarnation) {
        this.#caughtUp = began;
        return true;
      }
      if (!(await this.#begin(page.found))) return false;
    }
    return false;
  }

  /** Somebody may have begun a new incarnation since the clock was set back: it needs no other. */
  #noteSetBack({ incarnation }: ChangeHead): void {
    const setBacks = this.#deps.time.setBacks();
    if (setBacks === this.#setBacks) return;
    this.#setBacks = setBacks;
    if (this.#head?.incarnation === incarnation) this.#endedIncarnation = incarnation;
  }

  /** `false` where the directory or Redis fails. */
  async #begin(found: FoundHead): Promise<boolean> {
    const { channel, source, logger } = this.#deps;
    let generation: number;
    try {
      // What this process knows will do: later changes are published on top of it.
      generation = this.#index?.upTo ?? (await source.generation());
    } catch (error) {
      logger.debug({ error }, "The directory's generation can't be read; Redis stays unused.");
      return false;
    }
    const isPurge = this.#mustBegin;
    const outcome = await channel.renew(found, { generation, isPurge });
    if (isPurge && outcome === "renewed") this.#mustBegin = false;
    return outcome !== "failed";
  }

  #adopt(head: ChangeHead): void {
    if (this.#head?.incarnation !== head.incarnation) {
      this.#meters.incarnations.add(1);
      const { generation } = head;
      this.#deps.logger.info({ generation }, "Sets in Redis begin anew.");
      if (head.isPurge) this.#tell({ generation, subjects: "all" });
    }
    this.#head = head;
    if (this.#index !== undefined) return;
    // Everything may have changed unheard of since this process began to remember sets.
    if (head.all > 0) this.#tell({ generation: head.all, subjects: "all" });
    this.#index = new ChangeIndex(head.all);
  }

  /** Takes what is new; `false` if there is more to read. */
  #takePage(head: ChangeHead, entries: ChangePage["entries"]): boolean {
    const index = this.#index!;
    for (const published of entries) {
      if (published === undefined) break;
      const { change, after } = published;
      if (change.generation <= index.upTo) continue;
      if (index.take(change, after)) this.#tell(change);
      else this.#tellGap(change.generation);
    }
    if (index.upTo >= head.generation) return true;
    const isWhole = entries.every((entry) => entry !== undefined);
    if (isWhole && entries.length === PAGE_ENTRIES) return false;
    // Trimmed, expired or damaged: nobody can say what those changes were.
    index.take({ generation: head.generation, subjects: "all" }, index.upTo);
    this.#tellGap(head.generation);
    return true;
  }

  #tellGap(generation: number): void {
    this.#meters.gaps.add(1);
    this.#tell({ generation, subjects: "all" });
  }

  #tell(change: SetChange): void {
    try {
      this.#deps.listener(change);
    } catch (error) {
      // The directory's own feed tells of it again, and makes sure.
      this.#deps.logger.error({ error }, "A listener failed to take an announced change.");
    }
  }
}

function instruments(meter: Meter) {
  return {
    gaps: meter.counter({
      name: "postern_change_gaps_total",
      help: "Times that announced changes were missing, so that everything was forgotten.",
    }),
    incarnations: meter.counter({
      name: "postern_redis_incarnations_total",
      help: "Times that the sets in Redis began anew: at start, after it was empty, on purge.",
    }),
  };
}
