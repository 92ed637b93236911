import type { Clock } from "../base/clock.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { LastKnownSets, SetCache, SetChange, SetKey, SetLookup } from "./cache.ts";
import { encodeKey } from "./key.ts";
import type { MemoryCache } from "./memory-cache.ts";
import type { RedisAnnouncements } from "./redis-announcements.ts";
import type { RedisCache } from "./redis-cache.ts";

/** The memory tier before the one that sidecars share. */
export interface TieredCache extends SetCache, LastKnownSets {
  put(set: PermissionSet, readAtMonotonicMs: number): PermissionSet;
  /** Takes a change that was heard of through the shared tier, and needs no announcement. */
  hear(change: SetChange): void;
}

/** What the tiers are put together from. */
export interface TieredCacheDeps {
  readonly memory: MemoryCache;
  /** Never throws. */
  readonly shared: Pick<RedisCache, "find" | "put" | "invalidate">;
  readonly announcements: Pick<RedisAnnouncements, "known" | "catchUp">;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** As for the memory tier: up to when the directory itself was looked at. */
  readonly announcedUpToMs: () => number;
}

/**
 * Without a word of changes for this long, from the directory or through Redis, memory is not
 * believed alone: three looks, or three beats, have failed.
 */
const TRUSTED_MS = 3_000;

/** Puts `memory` before `shared`. */
export function createTieredCache(deps: TieredCacheDeps): TieredCache {
  const { memory, shared, announcements, clock } = deps;
  const looks = new Map<string, Promise<SetLookup>>();
  let newest = 0;
  let restartedAtMs = Number.NEGATIVE_INFINITY;

  const isTrusted = (): boolean =>
    clock.monotonicMs() - deps.announcedUpToMs() < TRUSTED_MS ||
    announcements.known() !== undefined;

  /**
   * A change that was heard of through Redis is taken again when the directory tells of it: what the
   * directory says is never passed over for what Redis has said.
   */
  function take(change: SetChange): void {
    if (change.isRestart) restartedAtMs = clock.monotonicMs();
    newest = change.isRestart ? change.generation : Math.max(newest, change.generation);
    memory.invalidate(change);
  }

  /** Redis is asked for what has changed; without it, memory's time to live is the bound. */
  async function confirm(key: SetKey): Promise<SetLookup> {
    await announcements.catchUp();
    const found = memory.get(key);
    return typeof found === "string" ? look(key, found) : found;
  }

  /** Those who ask for one subject at the same time ask Redis once. */
  function look(key: SetKey, why: SetLookup): Promise<SetLookup> {
    const name = encodeKey(key);
    const joined = looks.get(name);
    if (joined !== undefined) return joined;
    const begun = lookShared(key, why).finally(() => looks.delete(name));
    looks.set(name, begun);
    return begun;
  }

  async function lookShared(key: SetKey, why: SetLookup): Promise<SetLookup> {
    const askedMs = clock.monotonicMs();
    const found = await shared.find(key);
    // A change that came while the answer was under way is not in it.
    if (typeof found === "string" || found.set.generation < newest) return why;
    if (askedMs <= restartedAtMs) return why;
    return memory.put(found.set, askedMs, clock.monotonicMs() - found.ageMs);
  }

  return {
    get(key) {
      const found = memory.get(key);
      if (typeof found === "string") return look(key, found);
      return isTrusted() ? found : confirm(key);
    },

    put(set, readAtMonotonicMs) {
      const kept = memory.put(set, readAtMonotonicMs);
      void shared.put(kept, readAtMonotonicMs);
      return kept;
    },

    async invalidate(change) {
      take(change);
      await shared.invalidate(change);
    },

    hear: take,
    lastKnown: memory.lastKnown,
  };
}
