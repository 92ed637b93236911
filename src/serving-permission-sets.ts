import type { Clock } from "./base/clock.ts";
import { noDeadline } from "./base/deadline.ts";
import type { Logger } from "./base/logger.ts";
import type { Meter } from "./base/meter.ts";
import type { SetChange } from "./cache/cache.ts";
import { createPermissionSets } from "./cache/cached-permission-sets.ts";
import { createTierInspection, type TierInspection } from "./cache/inspect-tiers.ts";
import { createMemoryCache } from "./cache/memory-cache.ts";
import type { CacheOptions, RedisOptions } from "./cache/options.ts";
import type { PermissionSets } from "./cache/permission-sets.ts";
import { createRedisAnnouncements, type RedisAnnouncements } from "./cache/redis-announcements.ts";
import { createRedisCache, type RedisCache } from "./cache/redis-cache.ts";
import { createRedisConnection, type RedisConnection } from "./cache/redis-connection.ts";
import { createRedisKeys } from "./cache/redis-keys.ts";
import { createSeal } from "./cache/seal.ts";
import { createTieredCache } from "./cache/tiered-cache.ts";
import type { Directory } from "./directory/directory.ts";

/** What serving permission sets takes. */
export interface ServingPermissionSetsDeps {
  readonly options: CacheOptions;
  readonly directory: Directory;
  /** Those that are served. */
  readonly applications: () => Iterable<string>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
}

/** Permission sets of the directory, remembered in memory and, where configured, in Redis. */
export interface ServingPermissionSets {
  readonly permissionSets: PermissionSets;
  readonly inspection: TierInspection;
  close(): void;
}

/**
 * Puts the tiers together and lets them hear of the directory's changes. Throws an `Error` that
 * names the option if Redis can't be used as configured; that it can't be reached is no failure.
 */
export async function servePermissionSets(
  deps: ServingPermissionSetsDeps,
): Promise<ServingPermissionSets> {
  const { options, directory, clock, meter, applications } = deps;
  const { announcedUpToMs } = directory;
  const memory = createMemoryCache({ clock, meter, options, random: Math.random, announcedUpToMs });
  const inspect = { memory, applications, announcedUpToMs, clock };
  const identity = options.redis === undefined ? undefined : await identityOf(deps);
  if (options.redis === undefined || identity === undefined) {
    const sets = createPermissionSets({ source: directory, cache: memory, clock, meter, options });
    const unwatch = directory.watch(sets.invalidate);
    const inspection = createTierInspection({ ...inspect, redis: undefined });
    return { permissionSets: sets, inspection, close: unwatch };
  }
  const redis = { options: options.redis, identity, hear: (change: SetChange) => hear(change) };
  const shared = await connectRedis(deps, redis);
  const cache = createTieredCache({ memory, ...shared, clock, announcedUpToMs });
  const sets = createPermissionSets({ source: directory, cache, clock, meter, options });
  const hear = (change: SetChange): void => {
    sets.fence(change);
    cache.hear(change);
  };
  const unwatch = directory.watch(sets.invalidate);
  await shared.announcements.start();
  return {
    permissionSets: sets,
    inspection: createTierInspection({
      ...inspect,
      redis: { cache: shared.shared, announcements: shared.announcements },
    }),
    close: () => {
      unwatch();
      shared.announcements.close();
      shared.connection.close();
    },
  };
}

/** `undefined` where the server was started without the directory. */
async function identityOf({ directory, logger }: ServingPermissionSetsDeps) {
  try {
    return await directory.identity();
  } catch (error) {
    const what = "Redis stays unused until the next start: it is not known whose sets to share.";
    logger.warn({ error }, `The directory can't be read. ${what}`);
    return undefined;
  }
}

interface RedisPart {
  readonly options: RedisOptions;
  /** Which directory the sets are of. */
  readonly identity: string;
  readonly hear: (change: SetChange) => void;
}

interface SharedTier {
  readonly shared: RedisCache;
  readonly announcements: RedisAnnouncements;
  readonly connection: RedisConnection;
}

async function connectRedis(deps: ServingPermissionSetsDeps, part: RedisPart): Promise<SharedTier> {
  const { directory, clock, logger, meter } = deps;
  const { options, identity } = part;
  const { negativeTtlMs } = deps.options;
  const connection = createRedisConnection({ options, logger, meter });
  try {
    await connection.start();
  } catch (error) {
    connection.close();
    throw error;
  }
  const seal = createSeal(options.sealKey);
  const keys = createRedisKeys({ keyPrefix: options.keyPrefix, directoryId: identity, seal });
  const source = {
    generation: () => directory.generation(noDeadline),
    changesAfter: directory.changesAfter,
  };
  const common = { connection, keys, seal, clock, meter };
  const { ttlMs } = options;
  const announcements = createRedisAnnouncements({
    ...{ ...common, source, listener: part.hear, ttlMs, logger },
  });
  const shared = createRedisCache({
    ...{ ...common, announcements, options: { ...options, negativeTtlMs }, random: Math.random },
  });
  return { shared, announcements, connection };
}
