import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import {
  type AnnouncementCodec,
  type ChangeHead,
  type PublishedChange,
  purgeText,
} from "./announcement-codec.ts";
import type { SetChange } from "./cache.ts";
import {
  publishScript,
  raiseFloorScript,
  readChangesScript,
  renewScript,
} from "./change-scripts.ts";
import type { RedisConnection } from "./redis-connection.ts";
import type { RedisAnswer } from "./redis-failure.ts";
import type { RedisKeys } from "./redis-keys.ts";
import type { RedisTime } from "./redis-time.ts";

/** A head as it stands there, whether or not it can be believed; both are empty without one. */
export interface FoundHead {
  readonly incarnation: Buffer | string;
  readonly generation: Buffer | string | number;
}

/** What was read at once: the head, and entries of the stream; `undefined` where damaged. */
export interface ChangePage {
  /** `"none"`: there is none, or none that can be believed. */
  readonly head: ChangeHead | "none";
  readonly found: FoundHead;
  readonly entries: readonly (PublishedChange | undefined)[];
}

/**
 * What became of a change that was to be published: the head that it has led to, or why it has not:
 * somebody was faster, the stream can't take it, or Redis failed.
 */
export type Publishing = ChangeHead | "moved" | "damaged" | "failed";

/** What a channel is made of. */
export interface ChangeChannelDeps {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly codec: AnnouncementCodec;
  readonly time: RedisTime;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Milliseconds that floors are kept; no set that they are for lives longer. */
  readonly floorMs: number;
}

/** Entries read at once: they come within the time of one command. */
export const PAGE_ENTRIES = 100;
/** More than the changes of any minute that is worth bridging. */
const STREAM_ENTRIES = 2_000;
/** Sets live for less, so what is older is of no use to anybody. */
const STREAM_MS = 3_600_000;
const FLOORS_AT_ONCE = 100;

/** The commands that announcements consist of; what to do when is for who calls. */
export class ChangeChannel {
  readonly #deps: ChangeChannelDeps;
  readonly #headAndStream: readonly string[];

  constructor(deps: ChangeChannelDeps) {
    this.#deps = deps;
    this.#headAndStream = [deps.keys.head, deps.keys.stream];
  }

  /** Reads the head, and the entries after a generation; `undefined` = after the head's `all`. */
  async read(after: number | undefined): Promise<RedisAnswer<ChangePage>> {
    const { connection, clock, codec, time } = this.#deps;
    const sentMs = clock.monotonicMs();
    const answer = await connection.run(readChangesScript, {
      keys: this.#headAndStream,
      args: [after ?? "", PAGE_ENTRIES],
    });
    if (answer.failure === "wrong-type") {
      // Somebody else's head or stream stands there; it will be replaced.
      const found = { incarnation: "", generation: "" };
      return { value: { head: "none", found, entries: [] } };
    }
    if (answer.failure !== undefined) return answer;
    const [seconds, micros, ...rest] = answer.value as unknown[];
    const redisMs = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
    time.note({ sentMs, receivedMs: clock.monotonicMs(), redisMs });
    const head = codec.readHead(rest) ?? "none";
    const entries = head === "none" ? [] : (rest[5] as unknown[]);
    return {
      value: {
        head,
        found: { incarnation: rest[0] as Buffer, generation: rest[1] as Buffer },
        entries: entries.map((entry) =>
          head === "none" ? undefined : codec.readEntry(head.incarnation, entry),
        ),
      },
    };
  }

  /** Begins a new incarnation in place of the head that was found, if it still stands there. */
  async renew(
    found: FoundHead,
    begin: { generation: number; isPurge: boolean },
  ): Promise<"renewed" | "moved" | "failed"> {
    const { connection, codec } = this.#deps;
    const { generation, isPurge } = begin;
    const incarnation = randomBytes(8).toString("hex");
    const seal = codec.sealHead({ incarnation, generation, all: generation, isPurge });
    const answer = await connection.run(renewScript, {
      keys: this.#headAndStream,
      args: [
        ...[found.incarnation, found.generation],
        ...[incarnation, generation, purgeText(isPurge), seal],
      ],
    });
    if (answer.failure !== undefined) return "failed";
    return String(answer.value) === "renewed" ? "renewed" : "moved";
  }

  /**
   * Publishes the change that follows `head`. The subjects' floors come first: who knows of the
   * change by the head finds them.
   */
  async publish(head: ChangeHead, change: SetChange): Promise<Publishing> {
    const { connection, codec } = this.#deps;
    const { incarnation, generation: after } = head;
    const subjects = codec.subjectsText(change);
    const isAll = subjects === "*";
    if (!isAll && !(await this.#raiseFloors(incarnation, change))) return "failed";
    const { generation } = change;
    const next = { ...head, generation, all: isAll ? generation : head.all };
    const answer = await connection.run(publishScript, {
      keys: this.#headAndStream,
      args: [
        ...[incarnation, after, generation, next.all, codec.sealHead(next), subjects],
        ...[codec.sealEntry(incarnation, { change, after }), STREAM_ENTRIES, STREAM_MS],
      ],
    });
    if (answer.failure !== undefined) return "failed";
    const outcome = String(answer.value);
    if (outcome === "published") return next;
    return outcome === "moved" || outcome === "damaged" ? outcome : "failed";
  }

  async #raiseFloors(incarnation: string, { generation, subjects }: SetChange): Promise<boolean> {
    const { connection, keys, floorMs } = this.#deps;
    for (let at = 0; at < subjects.length; at += FLOORS_AT_ONCE) {
      const some = (subjects as readonly string[]).slice(at, at + FLOORS_AT_ONCE);
      const raised = await Promise.all(
        some.map((subjectId) =>
          connection.run(raiseFloorScript, {
            keys: [keys.floor(incarnation, subjectId)],
            args: [generation, floorMs],
          }),
        ),
      );
      if (raised.some(({ failure }) => failure !== undefined && failure !== "wrong-type")) {
        return false;
      }
    }
    return true;
  }
}
