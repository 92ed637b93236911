import { Create } from "typebox/value";
import { onTestFinished } from "vitest";
import { silentLogger } from "../../src/base/logger.ts";
import type { SetChange, SetKey } from "../../src/cache/cache.ts";
import { type RedisOptions, redisOptionsSchema } from "../../src/cache/options.ts";
import {
  createRedisAnnouncements,
  type RedisAnnouncements,
} from "../../src/cache/redis-announcements.ts";
import { createRedisCache, type RedisCache } from "../../src/cache/redis-cache.ts";
import { createRedisConnection, type RedisConnection } from "../../src/cache/redis-connection.ts";
import { createRedisKeys, type RedisKeys } from "../../src/cache/redis-keys.ts";
import { createSeal, type Seal } from "../../src/cache/seal.ts";
import type { PermissionSet } from "../../src/decision/permission-set.ts";
import { cacheableSet } from "./cacheable-set.ts";
import { type FakeChangeSource, fakeChangeSource } from "./change-source.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";
import { notingMeter } from "./noting-meter.ts";
import { type RedisServer, startRedis } from "./redis.ts";
import { type RedisOnClock, redisOnClock } from "./redis-on-clock.ts";

/** What the sidecars of one test share. */
export interface SharedTier {
  readonly server: RedisServer;
  readonly clock: ManualClock;
  readonly source: FakeChangeSource;
  /** Moves everybody's time. */
  advance(ms: number): Promise<void>;
  /** Steps the server's clock alone. */
  stepServer(ms: number): Promise<void>;
  /** One more process that uses the tier. */
  sidecar(says?: SidecarSetup): Promise<Sidecar>;
}

/** How a sidecar differs. */
export interface SidecarSetup {
  readonly url?: string;
  readonly sealKey?: string;
  readonly directoryId?: string;
  readonly source?: FakeChangeSource;
  readonly options?: Partial<RedisOptions & { negativeTtlMs: number }>;
  readonly random?: () => number;
  /** Stands before the connection, and may hold up or alter what passes. */
  readonly through?: (connection: RedisConnection) => RedisConnection;
}

/** The tier as one process has it. */
export interface Sidecar {
  readonly cache: RedisCache;
  readonly announcements: RedisAnnouncements;
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly seal: Seal;
  /** What it heard of from others. */
  readonly heard: SetChange[];
  /** What it measured: `name label-values value`. */
  readonly notes: readonly string[];
}

/** Starts a server for sidecars; their heartbeats are the test's to give. */
export async function sharedTier(given: { clock?: ManualClock } = {}): Promise<SharedTier> {
  const server = await startRedis();
  const { clock = manualClock() } = given;
  const source = fakeChangeSource();
  let onClock: RedisOnClock | undefined;

  async function sidecar(says: SidecarSetup = {}): Promise<Sidecar> {
    const { meter, notes } = notingMeter();
    const options = {
      ...(Create(redisOptionsSchema) as RedisOptions),
      negativeTtlMs: 2_000,
      commandTimeoutMs: 1_000,
      ...says.options,
      url: says.url ?? server.url,
    };
    const real = createRedisConnection({ options, logger: silentLogger, meter });
    onTestFinished(() => real.close());
    await real.start();
    const made = await redisOnClock(real, server.admin, clock);
    onClock ??= made;
    const connection = says.through?.(made.connection) ?? made.connection;
    const seal = createSeal(says.sealKey);
    const { directoryId = "directory" } = says;
    const keys = createRedisKeys({ keyPrefix: options.keyPrefix, directoryId, seal });
    const heard: SetChange[] = [];
    const announcements = createRedisAnnouncements({
      ...{ connection, clock, keys, seal, meter, logger: silentLogger },
      source: says.source ?? source,
      listener: (change) => heard.push(change),
      ttlMs: options.ttlMs,
    });
    onTestFinished(() => announcements.close());
    const { random = () => 0 } = says;
    const cache = createRedisCache({
      ...{ connection, announcements, clock, keys, seal, meter, options, random },
    });
    await announcements.catchUp();
    return { cache, announcements, connection, keys, seal, heard, notes };
  }

  return {
    server,
    clock,
    source,
    advance: (ms) => onClock!.advance(ms),
    stepServer: (ms) => onClock!.stepServer(ms),
    sidecar,
  };
}

/** A server with one sidecar. */
export async function oneSidecar(says: SidecarSetup = {}) {
  const tier = await sharedTier();
  const sidecar = await tier.sidecar(says);
  /** The key in Redis. */
  const nameOf = (key: SetKey): string =>
    sidecar.keys.set(sidecar.announcements.known()!.incarnation, key);
  /** Stores what was read just now. */
  const put = (set: PermissionSet = cacheableSet()) =>
    sidecar.cache.put(set, tier.clock.monotonicMs());
  return { ...tier, ...sidecar, nameOf, put };
}

/** What became of the sets that the sidecar was to store, in order. */
export function putOutcomes({ notes }: Pick<Sidecar, "notes">): string[] {
  return notes.flatMap((note) => /^postern_redis_puts_total (.*) 1$/.exec(note)?.[1] ?? []);
}

/** A server with two sidecars. */
export async function twoSidecars() {
  const tier = await sharedTier();
  const [one, other] = [await tier.sidecar(), await tier.sidecar()];
  /** Commits and announces, by `one`. */
  const change = async (says: Partial<SetChange>): Promise<SetChange> => {
    const committed = tier.source.commit(says);
    await one.announcements.announce(committed);
    return committed;
  };
  return { ...tier, one, other, change };
}

/** What the stream has: `generation after subjects`. */
export async function published({ server }: SharedTier, { keys }: Sidecar): Promise<string[]> {
  const entries = await server.admin.xrange(keys.stream, "-", "+");
  return entries.map(([id, [, after, , subjects]]) => `${id} ${after} ${subjects}`);
}
