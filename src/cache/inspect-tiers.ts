import type { Clock } from "../base/clock.ts";
import { type PermissionSet, stalenessMs } from "../decision/permission-set.ts";
import type { SetKey } from "./cache.ts";
import type { MemoryCache } from "./memory-cache.ts";
import type { RedisAnnouncements } from "./redis-announcements.ts";
import type { RedisCache } from "./redis-cache.ts";

/** What one tier has of a subject in an application; JSON. */
export interface TierEntry {
  readonly application: string;
  readonly tier: "memory" | "redis";
  /** Why there is nothing that would be served; the rest is then left out. */
  readonly miss?: string;
  readonly status?: PermissionSet["status"];
  readonly generation?: number;
  /** Milliseconds since it was last known to be true. */
  readonly ageMs?: number;
  readonly validUntilMs?: number;
  /** It is past its time, and would be used only if it can't be read anew. */
  readonly isStale?: true;
}

/** What the tiers have of a subject, and what is known of changes; JSON. */
export interface CacheView {
  readonly subject: string;
  /** Milliseconds since the directory was last looked at for changes; left out if it never was. */
  readonly directoryLookedAtMsAgo?: number;
  /** Whether changes are heard of through Redis; left out without Redis. */
  readonly isChannelTrusted?: boolean;
  readonly entries: readonly TierEntry[];
}

/** Shows and empties the tiers, for operators. */
export interface TierInspection {
  show(subjectId: string): Promise<CacheView>;
  /**
   * Forgets a subject's sets, or all without one, in this process and in Redis. Other sidecars keep
   * what they remember of the one subject, and forget all. `false` if Redis can't be reached.
   */
  purge(subjectId?: string): Promise<boolean>;
}

/** What inspection looks into. */
export interface TierInspectionDeps {
  readonly memory: MemoryCache;
  readonly redis:
    | {
        readonly cache: Pick<RedisCache, "look" | "forget">;
        readonly announcements: Pick<RedisAnnouncements, "known" | "renew">;
      }
    | undefined;
  /** Those that are served. */
  readonly applications: () => Iterable<string>;
  readonly announcedUpToMs: () => number;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** Makes the inspection. */
export function createTierInspection(deps: TierInspectionDeps): TierInspection {
  const { memory, redis, clock } = deps;

  function describeMemory(key: SetKey): EntryDetail {
    const found = memory.look(key);
    const set = typeof found === "string" ? memory.lastKnown(key) : undefined;
    if (set === undefined) return describe(found);
    return { ...describe({ set, ageMs: stalenessMs(set, clock) }), isStale: true };
  }

  return {
    async show(subjectId) {
      const sinceMs = clock.monotonicMs() - deps.announcedUpToMs();
      const entries: TierEntry[] = [];
      for (const application of [...deps.applications()].sort()) {
        const key = { application, subjectId };
        entries.push({ application, tier: "memory", ...describeMemory(key) });
        if (redis === undefined) continue;
        entries.push({ application, tier: "redis", ...describe(await redis.cache.look(key)) });
      }
      return {
        subject: subjectId,
        ...(Number.isFinite(sinceMs) && { directoryLookedAtMsAgo: Math.round(sinceMs) }),
        ...(redis && { isChannelTrusted: redis.announcements.known() !== undefined }),
        entries,
      };
    },

    async purge(subjectId) {
      memory.forget(subjectId === undefined ? "all" : [subjectId]);
      if (redis === undefined) return true;
      if (subjectId === undefined) return redis.announcements.renew();
      return redis.cache.forget(subjectId, deps.applications());
    },
  };
}

type EntryDetail = Omit<TierEntry, "application" | "tier">;

function describe(
  found: string | { readonly set: PermissionSet; readonly ageMs: number },
): EntryDetail {
  if (typeof found === "string") return { miss: found };
  const { status, generation, validUntilMs } = found.set;
  return {
    status,
    generation,
    ageMs: Math.max(0, Math.round(found.ageMs)),
    ...(validUntilMs !== undefined && { validUntilMs }),
  };
}
