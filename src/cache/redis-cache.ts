import type { Clock } from "../base/clock.ts";
import type { Counter, Meter } from "../base/meter.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { SetCache, SetChange, SetKey, SetLookup } from "./cache.ts";
import type { CacheOptions, RedisOptions } from "./options.ts";
import type { KnownChanges, RedisAnnouncements } from "./redis-announcements.ts";
import type { RedisConnection } from "./redis-connection.ts";
import type { RedisFailure } from "./redis-failure.ts";
import type { RedisKeys } from "./redis-keys.ts";
import { redisScript } from "./redis-script.ts";
import type { Seal } from "./seal.ts";
import { type BrokenSet, decodeSet, encodeSet, type SetPlace, setLayout } from "./set-codec.ts";
import { isExpired, spreadTtlMs, ttlMaxMs } from "./time-to-live.ts";

/** Why Redis has no set that may be used. Each is a miss, and none is "no permissions". */
export type RedisMiss =
  | RedisFailure
  | BrokenSet
  | "absent"
  /** Past its time to live, which Redis should have seen to. */
  | "aged"
  /** Past the earliest expiry inside it. */
  | "expired"
  /** A change since may have touched it. */
  | "outdated"
  /** Known to be true in a future of the server's clock. */
  | "clock-skew"
  /** Nobody can say which changes there were. */
  | "untrusted";

/** A set in Redis, and how old it is. */
export interface RedisHit {
  /** Of the newest generation that it is known to be true at. */
  readonly set: PermissionSet;
  /** Milliseconds since its read began, at most. */
  readonly ageMs: number;
}

/**
 * The tier that sidecars share. A set in it may be served only if, beside what holds of every tier:
 * - it is sealed, in this place, by somebody with the same key, and has exactly a set's shape;
 * - no change that this process or its own floor knows of touches it since;
 * - this process has heard of changes lately, or asks before it reads.
 */
export interface RedisCache extends SetCache {
  get(key: SetKey): Promise<SetLookup>;
  /** Gives `set` back. Whoever goes on with it need not wait. */
  put(set: PermissionSet, readAtMonotonicMs: number): Promise<PermissionSet>;
  /** Announces the change, to the other sidecars as well. */
  invalidate(change: SetChange): Promise<void>;
  /** As `get`, with the set's age. */
  find(key: SetKey): Promise<RedisHit | Exclude<SetLookup, PermissionSet>>;
  /** What `get` finds, with its age, or why it finds nothing; not counted. */
  look(key: SetKey): Promise<RedisHit | RedisMiss>;
  /** Forgets a subject's sets in these applications; `false` if Redis can't be reached. */
  forget(subjectId: string, applications: Iterable<string>): Promise<boolean>;
}

/** What the shared tier is handed. */
export interface RedisCacheDeps {
  readonly connection: RedisConnection;
  readonly announcements: RedisAnnouncements;
  readonly keys: RedisKeys;
  readonly seal: Seal;
  readonly options: Pick<RedisOptions, "ttlMs" | "valueBytesMax"> &
    Pick<CacheOptions, "negativeTtlMs">;
  readonly clock: Pick<Clock, "monotonicMs" | "wallMs">;
  readonly meter: Meter;
  /** Uniform in [0, 1); spreads lifetimes. */
  readonly random: () => number;
}

/** Makes the shared tier. */
export function createRedisCache(deps: RedisCacheDeps): RedisCache {
  return new SharedCache(deps);
}

/** A cluster's servers have a clock each. */
const CLOCK_SKEW_MS = 1_000;
const FLOOR_BYTES = 20;
const FIRST_DIGIT = setLayout.generationAt;
const LAST_DIGIT = FIRST_DIGIT + setLayout.digits - 1;

/**
 * Stores a set for what is left of its life, by the server's own clock, so that nobody who was
 * stopped in between gives an old set a new one; and only if nothing newer is known there.
 */
const putScript = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[4])
local left = tonumber(ARGV[3]) + ttl - now
if left > ttl + ${CLOCK_SKEW_MS} then return 'clock-skew' end
local life = math.floor(math.min(left, ttl))
if life < 1 then return 'late' end
local generation = tonumber(ARGV[2])
local floor = tonumber(redis.call('GET', KEYS[2]) or '')
if floor and floor > generation then return 'outdated' end
local stored = tonumber(redis.call('GETRANGE', KEYS[1], ${FIRST_DIGIT}, ${LAST_DIGIT}))
if stored and stored > generation then return 'older' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', life)
return 'stored'
`);

class SharedCache implements RedisCache {
  readonly #deps: RedisCacheDeps;
  readonly #misses: Counter;
  readonly #hits: Counter;
  readonly #puts: Counter;
  #restartedAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: RedisCacheDeps) {
    this.#deps = deps;
    this.#hits = deps.meter.counter({
      name: "postern_redis_hits_total",
      help: "Permission sets that were found in Redis.",
    });
    this.#misses = deps.meter.counter({
      name: "postern_redis_misses_total",
      help: "Permission sets that were not found in Redis, or not usable, by reason.",
      labels: ["reason"],
    });
    this.#puts = deps.meter.counter({
      name: "postern_redis_puts_total",
      help: "Permission sets that were to be stored in Redis, by outcome.",
      labels: ["outcome"],
    });
  }

  async get(key: SetKey): Promise<SetLookup> {
    const found = await this.find(key);
    return typeof found === "string" ? found : found.set;
  }

  async find(key: SetKey): Promise<RedisHit | Exclude<SetLookup, PermissionSet>> {
    const found = await this.look(key);
    if (typeof found !== "string") {
      this.#hits.add(1);
      return found;
    }
    this.#misses.add(1, { reason: found });
    return found === "expired" || found === "aged" ? found : "absent";
  }

  async look(key: SetKey): Promise<RedisHit | RedisMiss> {
    const { connection, announcements, keys } = this.#deps;
    const known = await this.#known();
    if (known === undefined) return connection.isUp() ? "untrusted" : "breaker-open";
    const place = this.#place(known.incarnation, key);
    const floorName = keys.floor(known.incarnation, key.subjectId);
    const answer = await connection.send([
      ["GETRANGE", place.name, 0, place.bytesMax],
      ["GETRANGE", floorName, 0, FLOOR_BYTES],
    ]);
    if (answer.failure !== undefined) return answer.failure;
    const [bytes, floor] = answer.value;
    if (!Buffer.isBuffer(bytes) || !Buffer.isBuffer(floor)) return "unexpected-answer";
    // Changes that were heard of since the question count as well.
    const current = announcements.known();
    if (current?.incarnation !== known.incarnation) return "untrusted";
    const found = this.#check(bytes, { place, known: current, floor: floor.toString() });
    if (BROKEN.has(found as RedisMiss)) void connection.send([["UNLINK", place.name]]);
    return found;
  }

  async put(set: PermissionSet, readAtMonotonicMs: number): Promise<PermissionSet> {
    this.#puts.add(1, { outcome: await this.#store(set, readAtMonotonicMs) });
    return set;
  }

  async invalidate(change: SetChange): Promise<void> {
    if (change.isRestart) this.#restartedAtMs = this.#deps.clock.monotonicMs();
    await this.#deps.announcements.announce(change);
  }

  async forget(subjectId: string, applications: Iterable<string>): Promise<boolean> {
    const { connection, keys } = this.#deps;
    const known = await this.#known();
    if (known === undefined) return false;
    const names = [...applications].map((application) =>
      keys.set(known.incarnation, { application, subjectId }),
    );
    if (names.length === 0) return true;
    return (await connection.send([["UNLINK", ...names]])).failure === undefined;
  }

  /** Where nobody has heard of changes lately, Redis is asked before each use. */
  async #known(): Promise<KnownChanges | undefined> {
    const { announcements, connection } = this.#deps;
    const known = announcements.known();
    if (known !== undefined || !connection.isUp()) return known;
    await announcements.catchUp();
    return announcements.known();
  }

  #place(incarnation: string, key: SetKey): SetPlace {
    const { keys, seal, options } = this.#deps;
    const name = keys.set(incarnation, key);
    return { name, key, seal, bytesMax: options.valueBytesMax };
  }

  #check(
    bytes: Buffer,
    { place, known, floor }: { place: SetPlace; known: KnownChanges; floor: string },
  ): RedisHit | RedisMiss {
    if (bytes.length === 0) return "absent";
    const stored = decodeSet(bytes, place);
    if (typeof stored === "string") return stored;
    const { set, knownAtRedisMs } = stored;
    if (!/^\d{0,16}$/.test(floor)) return "outdated";
    const touchedAt = Math.max(Number(floor), known.touchedAt(place.key.subjectId));
    if (set.generation < touchedAt) return "outdated";
    const { clock, announcements } = this.#deps;
    const nowRedisMs = announcements.time.atMost(clock.monotonicMs());
    if (nowRedisMs === undefined) return "untrusted";
    const ageMs = nowRedisMs - knownAtRedisMs;
    if (ageMs < -CLOCK_SKEW_MS) return "clock-skew";
    if (ageMs >= ttlMaxMs(set, this.#deps.options)) return "aged";
    if (isExpired(set, clock)) return "expired";
    // No change up to then touches it, so a read then would have given the same.
    const generation = Math.max(set.generation, known.generation);
    return { set: { ...set, generation }, ageMs };
  }

  async #store(set: PermissionSet, readAtMonotonicMs: number): Promise<string> {
    const { connection, announcements, keys, clock, options, random } = this.#deps;
    const knownAtRedisMs = announcements.time.atLeastAsKnownAt(readAtMonotonicMs);
    const known = announcements.known();
    if (known === undefined || knownAtRedisMs === undefined) return "untrusted";
    if (readAtMonotonicMs <= this.#restartedAtMs) return "outdated";
    const subjectId = set.subject.id;
    if (set.generation < known.touchedAt(subjectId)) return "outdated";
    const leftMs = (set.validUntilMs ?? Number.POSITIVE_INFINITY) - clock.wallMs();
    const sinceMs = clock.monotonicMs() - readAtMonotonicMs;
    const ttlMs = Math.min(
      spreadTtlMs(ttlMaxMs(set, options), random),
      // From the beginning of the read on, as the time to live counts.
      leftMs + sinceMs,
    );
    const place = this.#place(known.incarnation, { application: set.application, subjectId });
    const bytes = encodeSet({ set, knownAtRedisMs }, place);
    if (bytes === undefined) return "too-large";
    const answer = await connection.run(putScript, {
      keys: [place.name, keys.floor(known.incarnation, subjectId)],
      args: [bytes, set.generation, Math.floor(knownAtRedisMs), Math.floor(ttlMs)],
    });
    return answer.failure ?? String(answer.value);
  }
}

/** What will never be of use where it stands. A newer schema's is somebody's. */
const BROKEN: ReadonlySet<RedisMiss> = new Set<RedisMiss>([
  "truncated",
  "foreign",
  "tampered",
  "corrupt",
  "other-key",
]);
