import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import type { ManualClock } from "../../test/support/manual-clock.ts";
import { type SharedTier, type Sidecar, sharedTier } from "../../test/support/redis-tier.ts";
import { silentMeter } from "../base/meter.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { describeSetCache } from "./cache.contract.ts";
import type { SetLookup } from "./cache.ts";
import { createMemoryCache, type MemoryHit } from "./memory-cache.ts";
import { createTieredCache } from "./tiered-cache.ts";

const user1 = { application: "platform", subjectId: "user-1" };

interface Lifetimes {
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
}

/** The tiers of one process, and when it last looked at the directory. */
function tiersOf(sidecar: Sidecar, clock: ManualClock, { ttlMs, negativeTtlMs }: Lifetimes) {
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  const announcedUpToMs = () => lookedAtMs;
  const options = {
    entriesMax: 100,
    bytesMax: 1_000_000,
    ttlMs,
    negativeTtlMs,
    staleForMs: 60_000,
  };
  const memory = createMemoryCache({
    ...{ clock, meter: silentMeter, options, random: () => 0, announcedUpToMs },
  });
  const { cache: shared, announcements } = sidecar;
  const cache = createTieredCache({ memory, shared, announcements, clock, announcedUpToMs });
  const look = () => {
    lookedAtMs = clock.monotonicMs();
  };
  return { memory, cache, look };
}

describeSetCache("createTieredCache()", async ({ clock, ...lifetimes }) => {
  const tier = await sharedTier({ clock });
  const sidecar = await tier.sidecar({ options: lifetimes });
  const { cache } = tiersOf(sidecar, clock, lifetimes);
  return {
    cache: {
      get: cache.get,
      put: cache.put,
      invalidate: (change) => cache.invalidate(tier.source.commit(change)),
    },
    advance: tier.advance,
  };
});

const lifetimes = { ttlMs: 5_000, negativeTtlMs: 2_000 };

/** A process with both tiers. */
async function startProcess(tier: SharedTier) {
  const { cache: shared, ...sidecar } = await tier.sidecar();
  const { cache, memory, look } = tiersOf({ cache: shared, ...sidecar }, tier.clock, lifetimes);
  const store = async (set: PermissionSet): Promise<void> => {
    cache.put(set, tier.clock.monotonicMs());
    // The same again, to know when Redis has it.
    await shared.put(set, tier.clock.monotonicMs());
  };
  return { ...sidecar, shared, cache, memory, look, store };
}

describe("createTieredCache()", () => {
  it("remembers what Redis gives, and answers without a promise from then on", async () => {
    const tier = await sharedTier();
    const [one, other] = [await startProcess(tier), await startProcess(tier)];
    await one.store(cacheableSet());
    const given = await other.cache.get(user1);
    expect(given).toMatchObject({ generation: 1 });
    expect(other.cache.get(user1)).toBe(given);
  });

  it("knows how old it was in Redis", async () => {
    const tier = await sharedTier();
    const [one, other] = [await startProcess(tier), await startProcess(tier)];
    await one.store(cacheableSet());
    const readAtMs = tier.clock.monotonicMs();
    await tier.advance(20_000);
    await other.cache.get(user1);
    const { ageMs } = other.memory.look(user1) as MemoryHit;
    expect(ageMs).toBeGreaterThanOrEqual(20_000);
    await tier.advance(5_000);
    const { lastKnownMs } = other.cache.lastKnown(user1)!;
    expect(lastKnownMs).toBeLessThanOrEqual(readAtMs);
    expect(lastKnownMs).toBeGreaterThan(readAtMs - 1_000);
  });

  it("asks Redis once for all who ask at the same time", async () => {
    const tier = await sharedTier();
    const [one, other] = [await startProcess(tier), await startProcess(tier)];
    await one.store(cacheableSet());
    const asked = Array.from({ length: 50 }, () => other.cache.get(user1));
    expect(new Set(await Promise.all(asked)).size).toBe(1);
    expect(other.notes.filter((note) => note.startsWith("postern_redis_hits_total"))).toHaveLength(
      1,
    );
  });

  it("serves nothing that another process has announced a change of", async () => {
    const tier = await sharedTier();
    const [one, other] = [await startProcess(tier), await startProcess(tier)];
    await one.store(cacheableSet());
    await other.cache.get(user1);
    const change = tier.source.commit({ generation: 2, subjects: ["user-1"] });
    await one.cache.invalidate(change);
    await other.announcements.catchUp();
    for (const heard of other.heard) other.cache.hear(heard);
    expect(await other.cache.get(user1)).toBe("absent");
  });

  it("takes the directory's word for a change that Redis has passed over", async () => {
    const tier = await sharedTier();
    const one = await startProcess(tier);
    await one.store(cacheableSet());
    one.cache.hear({ generation: 9, subjects: ["somebody-else"] });
    expect(one.cache.get(user1)).toMatchObject({ generation: 1 });
    tier.source.commit({ generation: 2, subjects: ["user-1"] });
    const taken = one.cache.invalidate({ generation: 2, subjects: ["user-1"] });
    expect(await one.cache.get(user1)).toBe("absent");
    await taken;
  });

  it("asks Redis for changes before each answer while nobody tells of them", async () => {
    const tier = await sharedTier();
    const [one, other] = [await startProcess(tier), await startProcess(tier)];
    await one.store(cacheableSet());
    await other.cache.get(user1);
    // Nobody beats in this test: after three seconds neither side vouches for memory.
    await tier.advance(3_000);
    expect(other.cache.get(user1)).toBeInstanceOf(Promise);
    other.look();
    expect(other.cache.get(user1)).toMatchObject({ generation: 1 });
  });

  it("lives on memory for its time when Redis and the directory are away", async () => {
    const tier = await sharedTier();
    const one = await startProcess(tier);
    await one.store(cacheableSet());
    await tier.advance(4_000);
    await tier.server.kill();
    expect(await one.cache.get(user1)).toMatchObject({ generation: 1 });
    tier.clock.advance(1_000);
    const found: SetLookup = await one.cache.get(user1);
    expect(found).toBe("aged");
  });

  it("gives no set from Redis that began before a change which is known by now", async () => {
    const tier = await sharedTier();
    const [one, other] = [await startProcess(tier), await startProcess(tier)];
    await one.store(cacheableSet());
    const asked = other.cache.get(user1);
    other.cache.hear({ generation: 2, subjects: ["user-1"] });
    expect(await asked).toBe("absent");
    expect(other.memory.get(user1)).toBe("absent");
  });
});
