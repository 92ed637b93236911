/**
 * Tells other sidecars of changes through Redis, and hears of theirs. It makes things faster: what
 * holds rests on each sidecar's own look at the directory, and whoever dies between a commit and its
 * announcement is made good for by the next who looks. Not for changes themselves.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import { systemTimers, type Timers } from "../base/timers.ts";
import { createAnnouncementCodec } from "./announcement-codec.ts";
import type { SetChange } from "./cache.ts";
import { listenForChanges } from "./change-bell.ts";
import { ChangeChannel } from "./change-channel.ts";
import { ChangePublisher } from "./change-publisher.ts";
import { ChangeReader } from "./change-reader.ts";
import { createPauses } from "./pauses.ts";
import type { RedisConnection } from "./redis-connection.ts";
import type { RedisKeys } from "./redis-keys.ts";
import { RedisTime } from "./redis-time.ts";
import type { Seal } from "./seal.ts";

/** The directory's own record of its changes, which each sidecar reads for itself. */
export interface ChangeSource {
  /** The newest committed generation. */
  generation(): Promise<number>;
  /**
   * The changes after a generation, in order; one for "all" where they can't be named, also where the
   * directory is older than `after`, with its generation then.
   */
  changesAfter(after: number): Promise<readonly SetChange[]>;
}

/** What a process may rely on about changes, at one moment. */
export interface KnownChanges {
  readonly incarnation: string;
  /** All changes up to this one are taken into account. */
  readonly generation: number;
  /** A set that is older than this may have missed a change of its subject. */
  touchedAt(subjectId: string): number;
}

/** The channel through which sidecars tell each other of changes. */
export interface RedisAnnouncements {
  /** Reads what is there, publishes what is missing, and goes on doing so. */
  start(): Promise<void>;
  /**
   * Takes a committed change, as the directory's feed gives it; resolves to `true` when it is
   * published, by whomever, and to `false` if it can't be for now: it is tried again each second.
   */
  announce(change: SetChange): Promise<boolean>;
  /** Resolves when everything published before the call is known; `false` if Redis can't say. */
  catchUp(): Promise<boolean>;
  /** What is known; `undefined` unless it was heard of in the last three seconds. */
  known(): KnownChanges | undefined;
  /** Makes all sets in Redis unreachable, for everybody; `false` if Redis can't be reached. */
  renew(): Promise<boolean>;
  readonly time: RedisTime;
  close(): void;
}

/** What announcements are made of. */
export interface RedisAnnouncementsDeps {
  readonly connection: RedisConnection;
  readonly source: ChangeSource;
  /** Told of each change that others have published, in order, before it counts as known. */
  readonly listener: (change: SetChange) => void;
  readonly keys: RedisKeys;
  readonly seal: Seal;
  /** Longest life of a set in Redis, in milliseconds. */
  readonly ttlMs: number;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly timers?: Timers;
}

/** Makes a channel; `start` begins to use it. */
export function createRedisAnnouncements(deps: RedisAnnouncementsDeps): RedisAnnouncements {
  const { connection, keys, clock, logger, timers = systemTimers } = deps;
  const time = new RedisTime();
  const codec = createAnnouncementCodec(deps.seal);
  const floorMs = 2 * deps.ttlMs + FLOOR_MARGIN_MS;
  const channel = new ChangeChannel({ connection, keys, codec, time, clock, floorMs });
  const reader = new ChangeReader({ ...deps, channel, time, trustedMs: TRUSTED_MS });
  const publisher = new ChangePublisher({ ...deps, channel, reader });
  const trusted = deps.meter.gauge({
    name: "postern_change_channel_trusted",
    help: "1 while announced changes are heard of at once, 0 while Redis is asked for each read.",
  });
  const pauses = createPauses(timers);

  /** Correctness is here; the bell only makes it faster. */
  async function beat(): Promise<void> {
    while (!pauses.isEnded()) {
      trusted.set(reader.isTrusted() ? 1 : 0);
      await pauses.pause(HEARTBEAT_MS);
      if (!pauses.isEnded()) await publisher.publishMissing();
    }
    trusted.set(0);
  }

  return {
    time,
    announce: (change) => publisher.announce(change),
    catchUp: reader.catchUp,
    known: () => reader.known(),
    async start() {
      await publisher.publishMissing();
      const { stream } = keys;
      const ended = (error: unknown): void =>
        logger.error({ error }, "The channel of changes has ended; Redis is asked for each read.");
      beat().catch(ended);
      listenForChanges({ connection, stream, reader, pauses }).catch(ended);
    },
    async renew() {
      for (let round = 0; round < RENEW_ROUNDS_MAX; round += 1) {
        if (!(await reader.catchUp())) return false;
        const head = reader.head!;
        const outcome = await channel.renew(head, { generation: head.generation, isPurge: true });
        if (outcome === "failed") return false;
        if (outcome === "renewed") return reader.catchUp();
      }
      return false;
    },
    close: pauses.end,
  };
}

/** Each finds that somebody has published something meanwhile. */
const RENEW_ROUNDS_MAX = 50;
const HEARTBEAT_MS = 1_000;
/** After three beats without an answer, what is known is checked before each read. */
const TRUSTED_MS = 3 * HEARTBEAT_MS;
const FLOOR_MARGIN_MS = 60_000;
