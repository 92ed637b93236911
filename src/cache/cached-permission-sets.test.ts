import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { manualTimers } from "../../test/support/manual-timers.ts";
import { deadlineIn, noDeadline } from "../base/deadline.ts";
import { silentLogger } from "../base/logger.ts";
import { type Meter, silentMeter } from "../base/meter.ts";
import { PdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { createPermissionSets } from "./cached-permission-sets.ts";
import { createMemoryCache } from "./memory-cache.ts";
import type { SetQuery } from "./permission-sets.ts";

interface Limits {
  readonly fillsMax?: number;
  readonly waitersMax?: number;
}

/** A directory that answers each read when the test says so. */
function setUp(limits: Limits = {}) {
  const clock = manualClock();
  const timers = manualTimers(clock);
  const reads: ({ readonly subjectId: string } & PromiseWithResolvers<PermissionSet>)[] = [];
  const source = {
    resolve(_application: string, subjectId: string) {
      const read = { subjectId, ...Promise.withResolvers<PermissionSet>() };
      reads.push(read);
      return read.promise;
    },
  };
  const options = { fillsMax: 8, waitersMax: 100, fillTimeoutMs: 2_000, ...limits };
  const lifetimes = { ttlMs: 5_000, negativeTtlMs: 1_000, staleForMs: 0 };
  const bounds = { entriesMax: 100, bytesMax: 2 ** 20, ...lifetimes };
  const cache = createMemoryCache({
    clock,
    meter: silentMeter,
    random: () => 0,
    announcedUpToMs: () => Number.NEGATIVE_INFINITY,
    options: bounds,
  });
  const gauges: Record<string, number> = {};
  const meter: Meter = {
    ...silentMeter,
    gauge: ({ name }) => ({ set: (value) => (gauges[name] = value) }),
  };
  const sets = createPermissionSets({
    ...{ source, cache, clock, timers, meter, options },
    logger: silentLogger,
    announcedUpToMs: () => Number.NEGATIVE_INFINITY,
  });
  return { clock, timers, reads, cache, sets, gauges };
}

function query(says: Partial<SetQuery & SetQuery["consistency"]> = {}): SetQuery {
  return {
    application: says.application ?? "platform",
    subjectId: says.subjectId ?? "user-1",
    deadline: says.deadline ?? noDeadline,
    consistency: {
      minimumGeneration: says.minimumGeneration ?? 0,
      bypassCache: says.bypassCache ?? false,
    },
  };
}

/** Lets everything that is ready run: promise jobs go before the next macrotask. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

const kindOf = (outcome: unknown) =>
  Promise.resolve(outcome).then(
    () => "answered",
    (error) => (error instanceof PdpError ? error.kind : error),
  );

describe("createPermissionSets(): failures", () => {
  it("remembers no failed read, and reads again for the next asker", async () => {
    const { sets, reads } = setUp();
    const first = kindOf(sets.get(query()));
    reads[0]!.reject(new PdpError("unavailable", "disk gone"));
    expect(await first).toBe("unavailable");
    const second = sets.get(query());
    reads[1]!.resolve(cacheableSet());
    expect(await second).toMatchObject({ generation: 1 });
  });

  it("shows nothing of an unknown failure", async () => {
    const { sets, reads } = setUp();
    const asked = Promise.resolve(sets.get(query()));
    reads[0]!.reject(new Error("password=hunter2"));
    await expect(asked).rejects.toMatchObject({ kind: "internal", message: "internal error" });
  });

  it("refuses a set that is another subject's", async () => {
    const { sets, reads, cache } = setUp();
    const asked = kindOf(sets.get(query()));
    reads[0]!.resolve(cacheableSet({ subjectId: "admin-1" }));
    expect(await asked).toBe("internal");
    expect(cache.entries()).toBe(0);
  });

  it("gives up on a directory that says nothing, and reads again for the next asker", async () => {
    const { sets, reads, timers } = setUp();
    const asked = kindOf(sets.get(query()));
    timers.advance(2_000);
    expect(await asked).toBe("unavailable");
    const later = sets.get(query());
    expect(reads).toHaveLength(2);
    reads[1]!.resolve(cacheableSet());
    expect(await later).toMatchObject({ generation: 1 });
  });

  it("turns the read's own deadline into unavailable, since the asker's has not passed", async () => {
    const { sets, reads } = setUp();
    const asked = kindOf(sets.get(query()));
    reads[0]!.reject(new PdpError("deadline-exceeded", "too slow"));
    expect(await asked).toBe("unavailable");
  });

  it("refuses more waiters than its limit, and recovers", async () => {
    const { sets, reads } = setUp({ waitersMax: 2 });
    const first = [sets.get(query()), sets.get(query())];
    expect(await kindOf(sets.get(query({ subjectId: "user-2" })))).toBe("resource-exhausted");
    reads[0]!.resolve(cacheableSet());
    await Promise.all(first);
    const later = sets.get(query({ subjectId: "user-2" }));
    reads[1]!.resolve(cacheableSet({ subjectId: "user-2" }));
    expect(await later).toMatchObject({ generation: 1 });
  });

  it("does not read for an asker whose deadline has passed", async () => {
    const { sets, reads, clock } = setUp();
    expect(await kindOf(sets.get(query({ deadline: deadlineIn(clock, 0) })))).toBe(
      "deadline-exceeded",
    );
    expect(reads).toHaveLength(0);
  });
});

describe("createPermissionSets(): sharing a read", () => {
  it("reads once for all who ask while the read is under way", async () => {
    const { sets, reads } = setUp();
    const asked = Array.from({ length: 50 }, () => sets.get(query()));
    expect(reads).toHaveLength(1);
    reads[0]!.resolve(cacheableSet());
    expect(new Set(await Promise.all(asked)).size).toBe(1);
  });

  it("keeps subjects and applications apart", () => {
    const { sets, reads } = setUp();
    for (const says of [{}, { subjectId: "user-2" }, { application: "gateway" }]) {
      void kindOf(sets.get(query(says)));
    }
    expect(reads).toHaveLength(3);
  });

  it("lets an asker's deadline end its own waiting only", async () => {
    const { sets, reads, timers, clock, cache } = setUp();
    const leader = kindOf(sets.get(query({ deadline: deadlineIn(clock, 10) })));
    const follower = sets.get(query({ deadline: deadlineIn(clock, 1_000) }));
    timers.advance(10);
    expect(await leader).toBe("deadline-exceeded");
    reads[0]!.resolve(cacheableSet());
    expect(await follower).toMatchObject({ generation: 1 });
    expect(cache.entries()).toBe(1);
  });

  it("leaves neither a timer nor a count behind", async () => {
    const { sets, reads, timers, clock, gauges } = setUp();
    const asked = sets.get(query({ deadline: deadlineIn(clock, 1_000) }));
    const load = (size: number) => ({
      postern_permission_set_reads: size,
      postern_permission_set_waiters: size,
    });
    expect(gauges).toEqual(load(1));
    reads[0]!.resolve(cacheableSet());
    await asked;
    await settle();
    expect(timers.pending()).toBe(0);
    expect(gauges).toEqual(load(0));
  });

  it("queues reads beyond its limit and drops those nobody waits for", async () => {
    const { sets, reads, timers, clock } = setUp({ fillsMax: 1 });
    const first = sets.get(query({ subjectId: "a" }));
    const impatient = kindOf(sets.get(query({ subjectId: "b", deadline: deadlineIn(clock, 10) })));
    const patient = sets.get(query({ subjectId: "c" }));
    expect(reads.map((read) => read.subjectId)).toEqual(["a"]);
    timers.advance(10);
    expect(await impatient).toBe("deadline-exceeded");
    reads[0]!.resolve(cacheableSet({ subjectId: "a" }));
    await first;
    await settle();
    expect(reads.map((read) => read.subjectId)).toEqual(["a", "c"]);
    reads[1]!.resolve(cacheableSet({ subjectId: "c" }));
    expect(await patient).toMatchObject({ generation: 1 });
  });
});

describe("createPermissionSets(): changes during a read", () => {
  it.each([
    ["its subject", ["user-1"]],
    ["everything", "all"],
  ] as const)(
    "hands a read that began before a change of %s to earlier askers only",
    async (_, subjects) => {
      const { sets, reads, cache } = setUp();
      const before = sets.get(query());
      sets.invalidate({ generation: 2, subjects });
      const after = sets.get(query());
      expect(reads).toHaveLength(2);
      reads[0]!.resolve(cacheableSet({ generation: 1 }));
      expect(await before).toMatchObject({ generation: 1 });
      expect(cache.entries()).toBe(0);
      reads[1]!.resolve(cacheableSet({ generation: 2 }));
      expect(await after).toMatchObject({ generation: 2 });
      expect(sets.get(query())).toMatchObject({ generation: 2 });
    },
  );

  it("does not let the older of two reads overwrite the newer", async () => {
    const { sets, reads } = setUp();
    const before = sets.get(query());
    sets.invalidate({ generation: 2, subjects: "all" });
    const after = sets.get(query());
    reads[1]!.resolve(cacheableSet({ generation: 2 }));
    await after;
    reads[0]!.resolve(cacheableSet({ generation: 1 }));
    await before;
    expect(sets.get(query())).toMatchObject({ generation: 2 });
  });

  it("goes on sharing a read of a subject that the change does not touch", async () => {
    const { sets, reads } = setUp();
    const before = sets.get(query());
    sets.invalidate({ generation: 2, subjects: ["user-2"] });
    const after = sets.get(query());
    expect(reads).toHaveLength(1);
    reads[0]!.resolve(cacheableSet());
    expect(await after).toBe(await before);
  });

  it("lets later askers join a queued read, which has not begun", async () => {
    const { sets, reads } = setUp({ fillsMax: 1 });
    void kindOf(sets.get(query({ subjectId: "other" })));
    const before = sets.get(query());
    sets.invalidate({ generation: 2, subjects: ["user-1"] });
    const after = sets.get(query());
    reads[0]!.resolve(cacheableSet({ subjectId: "other" }));
    await settle();
    expect(reads).toHaveLength(2);
    reads[1]!.resolve(cacheableSet({ generation: 2 }));
    expect(await after).toBe(await before);
  });

  it("does not remember a failed read's key as in flight after a change", async () => {
    const { sets, reads } = setUp();
    const before = kindOf(sets.get(query()));
    sets.invalidate({ generation: 2, subjects: "all" });
    const after = sets.get(query());
    reads[0]!.reject(new PdpError("unavailable", "gone"));
    expect(await before).toBe("unavailable");
    const joined = sets.get(query());
    expect(reads).toHaveLength(2);
    reads[1]!.resolve(cacheableSet({ generation: 2 }));
    expect(await joined).toBe(await after);
  });
});

describe("createPermissionSets(): consistency", () => {
  it("answers a remembered set without a promise", async () => {
    const { sets, reads } = setUp();
    const asked = sets.get(query());
    const set = cacheableSet();
    reads[0]!.resolve(set);
    await asked;
    expect(sets.get(query())).toBe(set);
    expect(sets.get(query({ minimumGeneration: 1 }))).toBe(set);
  });

  it("remembers a set from the beginning of its read, not from its end", async () => {
    const { sets, reads, clock } = setUp();
    const asked = sets.get(query());
    clock.advance(1_500);
    reads[0]!.resolve(cacheableSet());
    await asked;
    clock.advance(3_500);
    void kindOf(sets.get(query()));
    expect(reads).toHaveLength(2);
  });

  it("answers with the former set after it was read again and has not changed", async () => {
    const { sets, reads, clock } = setUp();
    const asked = sets.get(query());
    const set = cacheableSet();
    reads[0]!.resolve(set);
    await asked;
    clock.advance(5_000);
    const again = sets.get(query());
    reads[1]!.resolve(cacheableSet());
    expect(await again).toBe(set);
    expect(sets.get(query())).toBe(set);
  });

  it("reads again for a newer generation than the remembered one", async () => {
    const { sets, reads, cache, clock } = setUp();
    cache.put(cacheableSet({ generation: 3 }), clock.monotonicMs());
    const asked = sets.get(query({ minimumGeneration: 4 }));
    reads[0]!.resolve(cacheableSet({ generation: 5 }));
    expect(await asked).toMatchObject({ generation: 5 });
    expect(sets.get(query({ minimumGeneration: 4 }))).toMatchObject({ generation: 5 });
  });

  it("reads again when the joined read turns out to be older than asked for", async () => {
    const { sets, reads } = setUp();
    void kindOf(sets.get(query()));
    const asked = sets.get(query({ minimumGeneration: 2 }));
    expect(reads).toHaveLength(1);
    reads[0]!.resolve(cacheableSet({ generation: 1 }));
    await settle();
    reads[1]!.resolve(cacheableSet({ generation: 2 }));
    expect(await asked).toMatchObject({ generation: 2 });
  });

  it("is unavailable for a generation the directory has not reached, naming both", async () => {
    const { sets, reads } = setUp();
    const asked = Promise.resolve(sets.get(query({ minimumGeneration: 99 })));
    reads[0]!.resolve(cacheableSet({ generation: 1 }));
    await settle();
    reads[1]!.resolve(cacheableSet({ generation: 1 }));
    await expect(asked).rejects.toMatchObject({
      kind: "unavailable",
      message: "the directory is at generation 1; 99 was asked for",
    });
  });

  it("bypasses the remembered set and any read that has begun", async () => {
    const { sets, reads, cache, clock } = setUp();
    void kindOf(sets.get(query()));
    cache.put(cacheableSet({ generation: 1 }), clock.monotonicMs());
    const asked = sets.get(query({ bypassCache: true }));
    expect(reads).toHaveLength(2);
    reads[1]!.resolve(cacheableSet({ generation: 2 }));
    expect(await asked).toMatchObject({ generation: 2 });
  });
});
