import type { Logger } from "../base/logger.ts";
import type { Counter, Meter } from "../base/meter.ts";
import type { ChangeHead } from "./announcement-codec.ts";
import type { SetChange } from "./cache.ts";
import type { ChangeChannel } from "./change-channel.ts";
import type { ChangeReader } from "./change-reader.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import type { ChangeSource } from "./redis-announcements.ts";

/** What a publisher is made of. */
export interface ChangePublisherDeps {
  readonly channel: ChangeChannel;
  readonly reader: ChangeReader;
  readonly source: Pick<ChangeSource, "changesAfter">;
  readonly logger: Logger;
  readonly meter: Meter;
}

/** Each follows what somebody else has published meanwhile; the next call goes on. */
const ROUNDS_MAX = 50;

/** Sees to it that Redis knows of every change that the directory has, whoever made it. */
export class ChangePublisher {
  /** Publishes what Redis lacks; returns where it can't, for the next call to go on. */
  readonly publishMissing = oneAtATime(() => this.#publishMissing());
  readonly #deps: ChangePublisherDeps;
  readonly #outcomes: Counter;
  /** The newest change that the directory is known to have. */
  #committed = 0;
  /** The directory's own word is needed: at first, and where it may have become older. */
  #mustAsk = true;

  constructor(deps: ChangePublisherDeps) {
    this.#deps = deps;
    this.#outcomes = deps.meter.counter({
      name: "postern_redis_announcements_total",
      help: "Changes that were to be announced through Redis, by outcome.",
      labels: ["outcome"],
    });
  }

  /** Takes a committed change; resolves to whether it is published. */
  async announce(change: SetChange): Promise<boolean> {
    const { reader } = this.#deps;
    if (change.isRestart) {
      reader.restart(change.generation);
      this.#committed = change.generation;
    } else {
      reader.note(change);
      if (change.generation <= this.#committed) this.#mustAsk = true;
      this.#committed = Math.max(this.#committed, change.generation);
    }
    await this.publishMissing();
    return reader.head !== undefined && reader.head.generation >= change.generation;
  }

  async #publishMissing(): Promise<void> {
    const { reader } = this.#deps;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      if (!(await reader.catchUp())) return;
      const { head, upTo } = reader;
      if (head === undefined) return;
      if (!this.#mustAsk && head.generation >= this.#committed) return;
      const changes = await this.#ask(head.generation);
      if (changes === undefined) return;
      const newest = changes.at(-1)?.generation ?? head.generation;
      this.#mustAsk = false;
      this.#committed = newest;
      // An older copy of the directory was put back: what is in Redis is of another past.
      if (newest < Math.max(head.generation, upTo)) reader.restart(newest);
      else if (!(await this.#publishAll(head, changes))) return;
    }
  }

  /** `undefined` if the directory can't be read: it will tell of its changes when it can be. */
  async #ask(after: number): Promise<readonly SetChange[] | undefined> {
    try {
      return await this.#deps.source.changesAfter(after);
    } catch (error) {
      this.#deps.logger.debug({ error }, "Changes can't be read from the directory to announce.");
      return undefined;
    }
  }

  /** `false` if Redis fails. */
  async #publishAll(from: ChangeHead, changes: readonly SetChange[]): Promise<boolean> {
    const { channel } = this.#deps;
    let head = from;
    for (const change of changes) {
      const outcome = await channel.publish(head, change);
      this.#outcomes.add(1, { outcome: typeof outcome === "string" ? outcome : "published" });
      if (outcome === "failed") return false;
      if (outcome === "damaged") {
        const { generation } = head;
        return (await channel.renew(head, { generation, isPurge: false })) !== "failed";
      }
      if (outcome === "moved") return true;
      head = outcome;
    }
    return true;
  }
}
