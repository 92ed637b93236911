import type { Clock } from "../base/clock.ts";
import type { Meter } from "../base/meter.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { SetCache, SetChange, SetKey, SetLookup } from "./cache.ts";
import { encodeKey } from "./key.ts";
import type { CacheOptions } from "./options.ts";
import { approximateSetBytes } from "./set-size.ts";

const TTL_SPREAD = 0.2;

interface Entry {
  readonly set: PermissionSet;
  readonly bytes: number;
  readonly agedAtMonotonicMs: number;
}

/** The memory tier: everything is answered at once. */
export interface MemoryCache extends SetCache {
  get(key: SetKey): SetLookup;
  put(set: PermissionSet): void;
  invalidate(change: SetChange): void;
  entries(): number;
  /** Estimated heap bytes of all entries. */
  bytes(): number;
}

/** What the memory tier is handed. */
export interface MemoryCacheDeps {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly options: Pick<CacheOptions, "entriesMax" | "bytesMax" | "ttlMs" | "negativeTtlMs">;
  /**
   * Uniform in [0, 1). Shortens lifetimes by up to a fifth, so that sets stored together are not
   * read together again, and none outlives the published bound.
   */
  readonly random: () => number;
}

/** Makes an empty memory tier, bounded in entries and in bytes. */
export function createMemoryCache(deps: MemoryCacheDeps): MemoryCache {
  const { clock, options } = deps;
  const meters = instruments(deps.meter);
  // In order of last use: a hit moves its entry to the end.
  const entries = new Map<string, Entry>();
  // Only applications with a policy get here, so there are few.
  const applications = new Set<string>();
  let bytes = 0;
  let announced = 0;

  function remove(key: string, entry: Entry): void {
    entries.delete(key);
    bytes -= entry.bytes;
  }

  function evictWhileOver(): void {
    for (const [key, entry] of entries) {
      const over =
        bytes > options.bytesMax ? "bytes" : entries.size > options.entriesMax ? "entries" : "";
      if (over === "") return;
      remove(key, entry);
      meters.evictions.add(1, { reason: over });
    }
  }

  function report(): void {
    meters.entries.set(entries.size);
    meters.bytes.set(bytes);
  }

  return {
    get(query) {
      const key = encodeKey(query);
      const entry = entries.get(key);
      if (entry === undefined) return "absent";
      if (clock.monotonicMs() >= entry.agedAtMonotonicMs) {
        remove(key, entry);
        return "aged";
      }
      const { validUntilMs } = entry.set;
      if (validUntilMs !== undefined && clock.wallMs() >= validUntilMs) {
        remove(key, entry);
        return "expired";
      }
      entries.delete(key);
      entries.set(key, entry);
      return entry.set;
    },

    put(set) {
      const key = encodeKey({ application: set.application, subjectId: set.subject.id });
      const former = entries.get(key);
      if (set.generation < Math.max(announced, former?.set.generation ?? 0)) return;
      if (former !== undefined) remove(key, former);
      const entry = newEntry(set, deps);
      // A set beyond the whole budget would evict everything else and then itself.
      if (entry.bytes <= options.bytesMax) {
        entries.set(key, entry);
        applications.add(set.application);
        bytes += entry.bytes;
        evictWhileOver();
      }
      report();
    },

    invalidate({ generation, subjects }) {
      announced = Math.max(announced, generation);
      if (subjects === "all") {
        entries.clear();
        bytes = 0;
      } else {
        for (const subjectId of subjects) {
          for (const application of applications) {
            const key = encodeKey({ application, subjectId });
            const entry = entries.get(key);
            if (entry !== undefined) remove(key, entry);
          }
        }
      }
      report();
    },

    entries: () => entries.size,
    bytes: () => bytes,
  };
}

function newEntry(set: PermissionSet, { clock, options, random }: MemoryCacheDeps): Entry {
  const ttlMs =
    set.status === "unknown" ? Math.min(options.ttlMs, options.negativeTtlMs) : options.ttlMs;
  return {
    set,
    bytes: approximateSetBytes(set),
    agedAtMonotonicMs: clock.monotonicMs() + ttlMs * (1 - TTL_SPREAD * random()),
  };
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
