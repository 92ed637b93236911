import type { Clock } from "./base/clock.ts";
import type { Logger } from "./base/logger.ts";
import type { Meter } from "./base/meter.ts";
import type { SetChange } from "./cache/cache.ts";
import { createPermissionSets } from "./cache/cached-permission-sets.ts";
import { createTierInspection, type TierInspection } from "./cache/inspect-tiers.ts";
import { createMemoryCache } from "./cache/memory-cache.ts";
import type { CacheOptions } from "./cache/options.ts";
import type { PermissionSets } from "./cache/permission-sets.ts";
import { createTieredCache } from "./cache/tiered-cache.ts";
import type { Directory } from "./directory/directory.ts";
import { createSharedTier, type SharedTierDeps } from "./shared-tier.ts";

/** What serving permission sets takes. */
export interface ServingPermissionSetsDeps
  extends Pick<SharedTierDeps, "timers" | "random" | "connect"> {
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
  const { options, directory, clock, logger, meter, applications } = deps;
  const { timers, random = Math.random, connect } = deps;
  const { announcedUpToMs } = directory;
  const memory = createMemoryCache({ clock, meter, options, random, announcedUpToMs });
  const given = { ...(timers && { timers }), ...(connect && { connect }) };
  const parts = { source: directory, announcedUpToMs, clock, logger, meter, options, ...given };
  const inspect = { memory, applications, announcedUpToMs, clock };
  if (options.redis === undefined) {
    const sets = createPermissionSets({ ...parts, cache: memory });
    const unwatch = directory.watch(sets.invalidate);
    const inspection = createTierInspection({ ...inspect, redis: undefined });
    return { permissionSets: sets, inspection, close: unwatch };
  }
  const shared = createSharedTier({
    ...{ directory, clock, logger, meter, random, ...given },
    options: { ...options.redis, negativeTtlMs: options.negativeTtlMs },
    listener: (change) => hear(change),
  });
  const { announcements } = shared;
  const cache = createTieredCache({
    ...{ memory, shared: shared.cache, announcements, clock, announcedUpToMs },
  });
  const sets = createPermissionSets({ ...parts, cache });
  const hear = (change: SetChange): void => {
    sets.fence(change);
    cache.hear(change);
  };
  const unwatch = directory.watch(sets.invalidate);
  const close = (): void => {
    unwatch();
    shared.close();
  };
  try {
    await shared.start();
  } catch (error) {
    close();
    throw error;
  }
  return {
    permissionSets: sets,
    inspection: createTierInspection({ ...inspect, redis: shared }),
    close,
  };
}
