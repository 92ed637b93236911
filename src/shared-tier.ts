import { systemTimers } from "./base/timers.ts";
import type { CacheOptions, RedisOptions } from "./cache/options.ts";
import { createPauses } from "./cache/pauses.ts";
import type { RedisAnnouncements } from "./cache/redis-announcements.ts";
import { createRedisCache, type RedisCache } from "./cache/redis-cache.ts";
import { PdpError } from "./decision/error.ts";
import { type SharedChanges, type SharedChangesDeps, shareChanges } from "./shared-changes.ts";

/** What the shared tier takes. */
export interface SharedTierDeps extends SharedChangesDeps {
  readonly options: RedisOptions & Pick<CacheOptions, "negativeTtlMs">;
  /** Uniform in [0, 1); `Math.random` unless given. */
  readonly random?: () => number;
}

/** The tier in Redis, which misses everything until it is known of which directory it has sets. */
export interface SharedTier {
  readonly cache: Omit<RedisCache, "get">;
  readonly announcements: Pick<RedisAnnouncements, "known" | "catchUp" | "renew">;
  /**
   * Resolves when it is in use, or can't be for now, which is logged and tried on. Throws an `Error`
   * that names the option if Redis can't be used as configured.
   */
  start(): Promise<void>;
  close(): void;
}

const RETRY_MS = 1_000;

/** Makes the tier; `start` connects. */
export function createSharedTier(deps: SharedTierDeps): SharedTier {
  const pauses = createPauses(deps.timers ?? systemTimers);
  let changes: SharedChanges | undefined;
  let cache: RedisCache | undefined;

  async function connect(): Promise<void> {
    const connected = await shareChanges(deps);
    if (pauses.isEnded()) {
      connected.close();
      return;
    }
    changes = connected;
    cache = createRedisCache({ random: Math.random, ...deps, ...connected });
    await connected.announcements.start();
  }

  async function keepTrying(): Promise<void> {
    await pauses.pause(RETRY_MS);
    while (!pauses.isEnded()) {
      try {
        await connect();
        return;
      } catch (error) {
        if (!isDirectoryAway(error)) throw error;
        await pauses.pause(RETRY_MS);
      }
    }
  }

  return {
    cache: {
      find: async (key) => (await cache?.find(key)) ?? "absent",
      look: async (key) => (await cache?.look(key)) ?? "untrusted",
      put: async (set, readAtMonotonicMs) => (await cache?.put(set, readAtMonotonicMs)) ?? set,
      invalidate: async (change) => cache?.invalidate(change),
      forget: async (subject, applications) =>
        (await cache?.forget(subject, applications)) ?? false,
    },
    announcements: {
      known: () => changes?.announcements.known(),
      catchUp: async () => (await changes?.announcements.catchUp()) ?? false,
      renew: async () => (await changes?.announcements.renew()) ?? false,
    },
    async start() {
      try {
        await connect();
      } catch (error) {
        if (!isDirectoryAway(error)) throw error;
        const { logger } = deps;
        const until = "Redis stays unused until it can: it is not known whose sets to share.";
        logger.warn({ error }, `The directory can't be read. ${until}`);
        keepTrying().catch((refusal: unknown) =>
          logger.error({ error: refusal }, "Redis stays unused until the next start."),
        );
      }
    },
    close() {
      pauses.end();
      changes?.close();
    },
  };
}

function isDirectoryAway(error: unknown): boolean {
  return error instanceof PdpError && error.kind === "unavailable";
}
