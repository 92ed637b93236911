import type { Clock } from "./base/clock.ts";
import { noDeadline } from "./base/deadline.ts";
import type { Logger } from "./base/logger.ts";
import type { Meter } from "./base/meter.ts";
import type { Timers } from "./base/timers.ts";
import type { SetChange } from "./cache/cache.ts";
import type { RedisOptions } from "./cache/options.ts";
import { createRedisAnnouncements, type RedisAnnouncements } from "./cache/redis-announcements.ts";
import {
  createRedisConnection,
  type RedisConnection,
  type RedisConnectionDeps,
} from "./cache/redis-connection.ts";
import { createRedisKeys, type RedisKeys } from "./cache/redis-keys.ts";
import { createSeal, type Seal } from "./cache/seal.ts";
import type { PermissionSetSource } from "./directory/directory.ts";

/** What sharing a directory's changes takes. */
export interface SharedChangesDeps {
  readonly options: RedisOptions;
  readonly directory: Pick<PermissionSetSource, "generation" | "changesAfter" | "identity">;
  /** Told of changes that others have published. */
  readonly listener: (change: SetChange) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  /** The process's own unless given. */
  readonly timers?: Timers;
  /** For tests; `createRedisConnection` unless given. */
  readonly connect?: (deps: RedisConnectionDeps) => RedisConnection;
}

/** A connected Redis, and what is kept there of one directory. */
export interface SharedChanges {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly seal: Seal;
  /** Not started. */
  readonly announcements: RedisAnnouncements;
  close(): void;
}

/**
 * Connects to the Redis of those who share the directory. Throws what reading the directory's
 * identity does, and an `Error` that names the option if Redis can't be used as configured; that it
 * can't be reached is no failure.
 */
export async function shareChanges(deps: SharedChangesDeps): Promise<SharedChanges> {
  const { options, directory, clock, logger, meter, timers, listener } = deps;
  const { connect = createRedisConnection } = deps;
  const directoryId = await directory.identity();
  const connection = connect({ options, logger, meter, ...(timers && { timers }) });
  try {
    await connection.start();
  } catch (error) {
    connection.close();
    throw error;
  }
  const seal = createSeal(options.sealKey);
  const keys = createRedisKeys({ keyPrefix: options.keyPrefix, directoryId, seal });
  const source = {
    generation: () => directory.generation(noDeadline),
    changesAfter: directory.changesAfter,
  };
  const announcements = createRedisAnnouncements({
    ...{ connection, source, listener, keys, seal, clock, logger, meter },
    ttlMs: options.ttlMs,
    ...(timers && { timers }),
  });
  const close = (): void => {
    announcements.close();
    connection.close();
  };
  return { connection, keys, seal, announcements, close };
}
