import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../base/clock.ts";
import type { Meter } from "../base/meter.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { type BoundedSet, BoundedSets } from "./bounded-sets.ts";
import type { LastKnownSets, MissReason, SetCache, SetChange, SetKey, SetLookup } from "./cache.ts";
import { encodeKey } from "./key.ts";
import type { CacheOptions } from "./options.ts";
import { approximateSetBytes } from "./set-size.ts";
import { isExpired, spreadTtlMs, ttlMaxMs } from "./time-to-live.ts";

/** The memory tier: everything is answered at once. */
export interface MemoryCache extends SetCache, LastKnownSets {
  get(key: SetKey): SetLookup;
  /** A set of another tier was known to be true before it was read there: `knownAtMonotonicMs`. */
  put(set: PermissionSet, readAtMonotonicMs: number, knownAtMonotonicMs?: number): PermissionSet;
  invalidate(change: SetChange): void;
  /** What `get` would find, without any of its effects. */
  look(key: SetKey): MemoryHit | Extract<MissReason, "absent" | "aged" | "expired">;
  /** Forgets a subject's sets, or all, although no change has touched them. */
  forget(subjects: SetChange["subjects"]): void;
  entries(): number;
  /** Estimated heap bytes of all entries. */
  bytes(): number;
}

/** A remembered set, and how long ago it was last known to be true. */
export interface MemoryHit {
  readonly set: PermissionSet;
  readonly ageMs: number;
}

/** What the memory tier is handed. */
export interface MemoryCacheDeps {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly options: Pick<
    CacheOptions,
    "entriesMax" | "bytesMax" | "ttlMs" | "negativeTtlMs" | "staleForMs"
  >;
  /** Uniform in [0, 1); spreads lifetimes. */
  readonly random: () => number;
  /**
   * The instant (`Clock.monotonicMs`) up to which every committed change is known to have been
   * announced. A set that no announcement touched was true then, and lives on from there: where the
   * channel is sound nothing is read again, and where it is silent the time to live bounds all.
   */
  readonly announcedUpToMs: () => number;
}

/** Makes an empty memory tier, bounded in entries and in bytes. */
export function createMemoryCache(deps: MemoryCacheDeps): MemoryCache {
  const { clock, options } = deps;
  const meters = instruments(deps.meter);
  const evicted = (reason: string): void => meters.evictions.add(1, { reason });
  const sets = new BoundedSets({ ...options, evicted });
  // Only applications with a policy get here, so there are few.
  const applications = new Set<string>();
  let announced = 0;
  let restartedAtMs = Number.NEGATIVE_INFINITY;

  function report(): void {
    meters.entries.set(sets.size);
    meters.bytes.set(sets.bytes);
  }

  function forget(subjects: SetChange["subjects"]): void {
    if (subjects === "all") sets.clear();
    else for (const key of keysOf(subjects, applications)) sets.delete(key);
    report();
  }

  return {
    get(query) {
      const key = encodeKey(query);
      const found = sets.get(key);
      if (found === undefined || found.isRetired) return "absent";
      const why = whyNot(found, deps);
      if (why === "aged") found.isRetired = true;
      else if (why === "expired") sets.delete(key);
      else found.isUsed = true;
      return why ?? found.set;
    },

    look(query) {
      const found = sets.get(encodeKey(query));
      return found === undefined || found.isRetired ? "absent" : lookAt(found, deps);
    },

    lastKnown(query) {
      const found = sets.get(encodeKey(query));
      return found === undefined ? undefined : lastKnownOf(found, deps);
    },

    put(set, readAtMonotonicMs, knownAtMonotonicMs = readAtMonotonicMs) {
      if (readAtMonotonicMs <= restartedAtMs) return set;
      const key = encodeKey({ application: set.application, subjectId: set.subject.id });
      const former = sets.get(key)?.set;
      if (set.generation < Math.max(announced, former?.generation ?? 0)) return set;
      const kept = former !== undefined && isSame(former, set) ? former : set;
      sets.put(key, boundedSet(kept, { readAtMonotonicMs, knownAtMonotonicMs }, deps));
      applications.add(set.application);
      report();
      return kept;
    },

    invalidate({ generation, subjects, isRestart }) {
      if (isRestart) restartedAtMs = clock.monotonicMs();
      announced = isRestart ? generation : Math.max(announced, generation);
      forget(subjects);
    },

    forget,

    entries: () => sets.size,
    bytes: () => sets.bytes,
  };
}

function keysOf(subjects: readonly string[], applications: Iterable<string>): string[] {
  const names = [...applications];
  return subjects.flatMap((subjectId) =>
    names.map((application) => encodeKey({ application, subjectId })),
  );
}

function lookAt(found: BoundedSet, deps: MemoryCacheDeps): ReturnType<MemoryCache["look"]> {
  const ageMs = deps.clock.monotonicMs() - knownAtMs(found, deps);
  return whyNot(found, deps) ?? { set: found.set, ageMs };
}

function knownAtMs(found: BoundedSet, deps: Pick<MemoryCacheDeps, "announcedUpToMs">): number {
  if (found.set.status === "unknown") return found.knownAtMonotonicMs;
  return Math.max(found.knownAtMonotonicMs, deps.announcedUpToMs());
}

function lastKnownOf(found: BoundedSet, deps: MemoryCacheDeps): PermissionSet | undefined {
  const { clock, options } = deps;
  if (options.staleForMs === 0 || found.set.status === "unknown") return undefined;
  if (isExpired(found.set, clock)) return undefined;
  const agedAtMs = renew(found, deps.announcedUpToMs());
  if (clock.monotonicMs() >= agedAtMs + options.staleForMs) return undefined;
  const lastKnownMs = knownAtMs(found, deps);
  if (found.lastKnown?.lastKnownMs !== lastKnownMs) {
    found.lastKnown = { ...found.set, lastKnownMs };
  }
  return found.lastKnown;
}

/** Why a remembered set may not be served any more. */
function whyNot(
  found: BoundedSet,
  { clock, announcedUpToMs }: Pick<MemoryCacheDeps, "clock" | "announcedUpToMs">,
): "aged" | "expired" | undefined {
  const nowMs = clock.monotonicMs();
  if (nowMs >= found.agedAtMonotonicMs && nowMs >= renew(found, announcedUpToMs())) return "aged";
  return isExpired(found.set, clock) ? "expired" : undefined;
}

/** Lets a set live on from where it was last known to be true; gives when it is aged then. */
function renew(found: BoundedSet, knownAtMonotonicMs: number): number {
  // Whoever does not exist is not worth memory for longer than a moment.
  if (found.set.status === "unknown") return found.agedAtMonotonicMs;
  found.agedAtMonotonicMs = Math.max(found.agedAtMonotonicMs, knownAtMonotonicMs + found.ttlMs);
  return found.agedAtMonotonicMs;
}

function boundedSet(
  set: PermissionSet,
  at: { readonly readAtMonotonicMs: number; readonly knownAtMonotonicMs: number },
  { options, random }: MemoryCacheDeps,
): BoundedSet {
  const ttlMs = spreadTtlMs(ttlMaxMs(set, options), random);
  return {
    set,
    bytes: approximateSetBytes(set),
    ttlMs,
    knownAtMonotonicMs: at.knownAtMonotonicMs,
    agedAtMonotonicMs: at.readAtMonotonicMs + ttlMs,
    isUsed: false,
    isRetired: false,
    lastKnown: undefined,
  };
}

/** With 100 patterns this takes 4 µs; a new object is compiled and parsed into wasm in 67 µs. */
function isSame(former: PermissionSet, set: PermissionSet): boolean {
  return former.generation === set.generation && isDeepStrictEqual(former, set);
}

function instruments(meter: Meter) {
  return {
    evictions: meter.counter({
      name: "postern_permission_set_cache_evictions_total",
      help: "Sets dropped to stay within a bound, by bound.",
      labels: ["reason"],
    }),
    entries: meter.gauge({
      name: "postern_permission_set_cache_entries",
      help: "Permission sets remembered.",
    }),
    bytes: meter.gauge({
      name: "postern_permission_set_cache_bytes",
      help: "Estimated heap bytes of remembered permission sets.",
    }),
  };
}
