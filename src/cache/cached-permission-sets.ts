import type { Clock } from "../base/clock.ts";
import type { Deadline } from "../base/deadline.ts";
import type { Logger } from "../base/logger.ts";
import type { Counter, Meter } from "../base/meter.ts";
import { systemTimers, type Timers } from "../base/timers.ts";
import { PdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { LastKnownSets, MissReason, SetCache, SetChange, SetKey } from "./cache.ts";
import { Flights } from "./flights.ts";
import type { CacheOptions } from "./options.ts";
import type { PermissionSets, SetQuery } from "./permission-sets.ts";
import { StaleFallback } from "./stale-fallback.ts";

/** Where sets are read from; the directory is one. */
export interface SetSource {
  /** Resolves from one snapshot, whose generation the set carries. */
  resolve(application: string, subjectId: string, deadline: Deadline): Promise<PermissionSet>;
}

/** Permission sets through a cache, and what feeds and watches it. */
export interface CachedPermissionSets extends PermissionSets {
  /** A change was committed. From here on no asker gets a set that may have missed it. */
  invalidate(change: SetChange): void;
  /** The same for a change that `cache` has taken by itself. */
  fence(change: SetChange): void;
}

/** What `createPermissionSets` is handed. */
export interface PermissionSetsDeps {
  readonly source: SetSource;
  readonly cache: SetCache & LastKnownSets;
  /** As for the memory tier: up to when the directory itself was looked at. */
  readonly announcedUpToMs: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly options: Pick<CacheOptions, "fillsMax" | "waitersMax" | "fillTimeoutMs">;
  readonly timers?: Timers;
}

/** Puts `cache` before `source`; concurrent misses of one subject share a read. */
export function createPermissionSets(deps: PermissionSetsDeps): CachedPermissionSets {
  const { cache, clock, options } = deps;
  const meters = instruments(deps.meter);
  const fallback = new StaleFallback(deps);
  const timers = deps.timers ?? systemTimers;
  const read = createRead(deps, meters.fills);
  const { ended } = fallback;
  const flights = new Flights({ read, ended, clock, timers, meter: deps.meter, options });

  async function fill(query: SetQuery, why: MissReason): Promise<PermissionSet> {
    meters.misses.add(1, { reason: why });
    const set = await fallback.over(query, () => readAnew(query));
    const { minimumGeneration } = query.consistency;
    if (set.generation >= minimumGeneration) return set;
    throw new PdpError(
      "unavailable",
      `the directory is at generation ${set.generation}; ${minimumGeneration} was asked for`,
      { field: "consistency.minimum_generation" },
    );
  }

  async function readAnew(query: SetQuery): Promise<PermissionSet> {
    const { deadline, consistency } = query;
    const { minimumGeneration, bypassCache } = consistency;
    const set = await flights.board(query, { deadline, fresh: bypassCache });
    if (set.generation >= minimumGeneration) return set;
    // A joined read may have begun before the generation that was asked for existed.
    return flights.board(query, { deadline, fresh: true });
  }

  function answer(query: SetQuery, found: PermissionSet | MissReason) {
    if (typeof found === "string") return fill(query, found);
    if (found.generation < query.consistency.minimumGeneration) {
      return fill(query, "older-generation");
    }
    meters.hits.add(1);
    return found;
  }

  return {
    get(query) {
      if (query.consistency.bypassCache) return fill(query, "bypassed");
      const found = cache.get(query);
      if (found instanceof Promise) return found.then((awaited) => answer(query, awaited));
      return answer(query, found);
    },

    invalidate(change) {
      flights.fence(change);
      void cache.invalidate(change);
    },

    fence: (change) => flights.fence(change),
  };
}

/** Reads a set, and remembers it. */
function createRead({ source, cache, clock }: PermissionSetsDeps, fills: Counter) {
  return async (key: SetKey, deadline: Deadline): Promise<PermissionSet> => {
    const readAtMonotonicMs = clock.monotonicMs();
    try {
      const set = await source.resolve(key.application, key.subjectId, deadline);
      if (set.application !== key.application || set.subject.id !== key.subjectId) {
        throw new PdpError("internal", "internal error", {
          cause: new Error("the directory answered for another subject or application"),
        });
      }
      const kept = await cache.put(set, readAtMonotonicMs);
      fills.add(1, { outcome: "read" });
      return kept;
    } catch (error) {
      fills.add(1, { outcome: "failed" });
      throw error;
    }
  };
}

function instruments(meter: Meter) {
  return {
    hits: meter.counter({
      name: "postern_permission_set_cache_hits_total",
      help: "Requests whose permission set was remembered.",
    }),
    misses: meter.counter({
      name: "postern_permission_set_cache_misses_total",
      help: "Requests whose permission set had to be read, by reason.",
      labels: ["reason"],
    }),
    fills: meter.counter({
      name: "postern_permission_set_fills_total",
      help: "Reads of permission sets from the directory, by outcome.",
      labels: ["outcome"],
    }),
  };
}
