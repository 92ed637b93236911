import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { type ManualClock, manualClock } from "../../test/support/manual-clock.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { SetCache, SetChange, SetKey } from "./cache.ts";

/** What an implementation is made with: it is empty, on this clock, with these lifetimes. */
export interface MakeCacheGiven {
  readonly clock: ManualClock;
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
}

/** An implementation, and in what ways its tier differs. */
export interface MadeCache {
  readonly cache: SetCache;
  /** Moves time where more than the clock has to move. */
  readonly advance?: (ms: number) => Promise<void>;
  /** It drops sets when their time is up, and can't tell later why there is none. */
  readonly dropsSilently?: boolean;
  /** It gives a set as of the newest generation that is known to leave it as it is. */
  readonly raisesGenerations?: boolean;
}

/** How the suite makes an implementation. */
export type MakeCache = (given: MakeCacheGiven) => MadeCache | Promise<MadeCache>;

const user1 = { application: "platform", subjectId: "user-1" };

/** The facts that hold of every tier. */
export function describeSetCache(name: string, makeCache: MakeCache): void {
  async function setUp() {
    const clock = manualClock();
    const made = await makeCache({ clock, ttlMs: 5_000, negativeTtlMs: 1_000 });
    const cache = {
      get: (key: SetKey) => made.cache.get(key),
      put: (set: PermissionSet, readAtMs = clock.monotonicMs()) => made.cache.put(set, readAtMs),
      invalidate: (change: SetChange) => made.cache.invalidate(change),
    };
    return {
      clock,
      cache,
      advance: made.advance ?? (async (ms: number) => clock.advance(ms)),
      aged: made.dropsSilently ? "absent" : "aged",
      expired: made.dropsSilently ? "absent" : "expired",
      /** What becomes of the generation of a set that the change at `newest` leaves as it is. */
      asOf: (generation: number, newest: number) => (made.raisesGenerations ? newest : generation),
    };
  }

  describe(`${name} as a SetCache`, () => {
    it("does not remember a set that is older than an announced change", async () => {
      const { cache } = await setUp();
      await cache.invalidate({ generation: 7, subjects: ["user-1"] });
      await cache.put(cacheableSet({ generation: 6 }));
      expect(await cache.get(user1)).toBe("absent");
      await cache.put(cacheableSet({ generation: 7 }));
      expect(await cache.get(user1)).toMatchObject({ generation: 7 });
    });

    it("does not remember an older set after a change of everything", async () => {
      const { cache } = await setUp();
      await cache.invalidate({ generation: 7, subjects: "all" });
      await cache.put(cacheableSet({ generation: 6 }));
      expect(await cache.get(user1)).toBe("absent");
    });

    it("keeps the newest announced generation when changes arrive out of order", async () => {
      const { cache } = await setUp();
      await cache.invalidate({ generation: 7, subjects: "all" });
      await cache.invalidate({ generation: 3, subjects: "all" });
      await cache.put(cacheableSet({ generation: 6 }));
      expect(await cache.get(user1)).toBe("absent");
    });

    it("does not replace a set by an older one", async () => {
      const { cache } = await setUp();
      await cache.put(cacheableSet({ generation: 5 }));
      await cache.put(cacheableSet({ generation: 4 }));
      expect(await cache.get(user1)).toMatchObject({ generation: 5 });
    });

    it("forgets a touched subject in every application, and no other subject", async () => {
      const { cache, asOf } = await setUp();
      await cache.put(cacheableSet());
      await cache.put(cacheableSet({ application: "gateway" }));
      await cache.put(cacheableSet({ subjectId: "user-2" }));
      await cache.invalidate({ generation: 2, subjects: ["user-1", "never-seen"] });
      expect(await cache.get(user1)).toBe("absent");
      expect(await cache.get({ ...user1, application: "gateway" })).toBe("absent");
      const untouched = await cache.get({ ...user1, subjectId: "user-2" });
      expect(untouched).toMatchObject({ generation: asOf(1, 2) });
    });

    it("forgets everything when everything is touched", async () => {
      const { cache } = await setUp();
      await cache.put(cacheableSet());
      await cache.put(cacheableSet({ application: "gateway", subjectId: "user-2" }));
      await cache.invalidate({ generation: 2, subjects: "all" });
      expect(await cache.get(user1)).toBe("absent");
      expect(await cache.get({ application: "gateway", subjectId: "user-2" })).toBe("absent");
    });

    it("goes by nothing that was read before a restart", async () => {
      const { cache, clock, advance } = await setUp();
      await cache.invalidate({ generation: 7, subjects: ["user-2"] });
      await cache.put(cacheableSet({ generation: 7 }));
      await advance(1);
      const before = clock.monotonicMs();
      await advance(1);
      await cache.invalidate({ generation: 3, subjects: "all", isRestart: true });
      expect(await cache.get(user1)).toBe("absent");
      await advance(1);
      await cache.put(cacheableSet({ generation: 7 }), before);
      expect(await cache.get(user1)).toBe("absent");
      await cache.put(cacheableSet({ generation: 3 }));
      expect(await cache.get(user1)).toMatchObject({ generation: 3 });
    });

    it("serves no set past its time to live", async () => {
      const { cache, advance, aged } = await setUp();
      await cache.put(cacheableSet());
      await advance(5_000);
      expect(await cache.get(user1)).toBe(aged);
      expect(await cache.get(user1)).toBe("absent");
    });

    it("counts the time to live from the beginning of the read", async () => {
      const { cache, clock, advance, aged } = await setUp();
      const readAtMs = clock.monotonicMs();
      await advance(1_500);
      await cache.put(cacheableSet(), readAtMs);
      await advance(3_499);
      expect(await cache.get(user1)).toMatchObject({ generation: 1 });
      await advance(1);
      expect(await cache.get(user1)).toBe(aged);
    });

    it("does not serve a set for longer because the wall clock was set back", async () => {
      const { cache, clock, advance, aged } = await setUp();
      await cache.put(cacheableSet());
      clock.stepWall(-3_600_000);
      await advance(5_000);
      expect(await cache.get(user1)).toBe(aged);
    });

    it("serves an unknown subject for the shorter time", async () => {
      const { cache, advance, aged } = await setUp();
      await cache.put(cacheableSet({ status: "unknown" }));
      expect(await cache.get(user1)).toMatchObject({ status: "unknown" });
      await advance(1_000);
      expect(await cache.get(user1)).toBe(aged);
    });

    it("serves no set past the earliest expiry inside it", async () => {
      const { cache, clock, advance, expired } = await setUp();
      await cache.put(cacheableSet({ validUntilMs: clock.wallMs() + 2_000 }));
      await advance(1_999);
      expect(await cache.get(user1)).toMatchObject({ generation: 1 });
      await advance(1);
      expect(await cache.get(user1)).toBe(expired);
    });

    it("remembers nothing without a time to live", async () => {
      const clock = manualClock();
      const { cache } = await makeCache({ clock, ttlMs: 0, negativeTtlMs: 0 });
      await cache.put(cacheableSet(), clock.monotonicMs());
      expect(typeof (await cache.get(user1))).toBe("string");
    });

    it.each([
      ["__proto__", "constructor"],
      ["user-1", "user-10"],
      ["é", "e\u0301"],
      ["10:platform", "platform"],
    ])("keeps %j and %j apart", async (one, other) => {
      const { cache } = await setUp();
      await cache.put(cacheableSet({ subjectId: one, generation: 1 }));
      await cache.put(cacheableSet({ subjectId: other, generation: 2 }));
      expect(await cache.get({ ...user1, subjectId: one })).toMatchObject({ generation: 1 });
      expect(await cache.get({ ...user1, subjectId: other })).toMatchObject({ generation: 2 });
    });

    it("goes on with the former set where the one that was read again is the same", async () => {
      const { cache, advance, aged } = await setUp();
      const former = await cache.put(cacheableSet({ patterns: ["agent:*"] }));
      await advance(5_000);
      expect(await cache.get(user1)).toBe(aged);
      const again = await cache.put(cacheableSet({ patterns: ["agent:*"] }));
      expect(again).toEqual(former);
      expect(await cache.get(user1)).toEqual(former);
      await advance(5_000);
      expect(await cache.get(user1)).toBe(aged);
    });

    it.each([
      ["generation", { generation: 2 }],
      ["pattern", { patterns: ["agent:read"] }],
      ["expiry", { validUntilMs: 4e12 }],
      ["status", { status: "disabled" }],
    ] as const)("goes on with the set that was read where it differs by its %s", async (_, by) => {
      const { cache } = await setUp();
      await cache.put(cacheableSet({ patterns: ["agent:*"] }));
      const read = cacheableSet({ patterns: ["agent:*"], ...by });
      expect(await cache.put(read)).toBe(read);
      expect(await cache.get(user1)).toEqual(read);
    });

    it("goes on with a set that it does not remember", async () => {
      const { cache } = await setUp();
      await cache.invalidate({ generation: 7, subjects: "all" });
      const read = cacheableSet({ generation: 6 });
      expect(await cache.put(read)).toBe(read);
    });

    it("gives back the set as it was put", async () => {
      const { cache } = await setUp();
      const set = cacheableSet({ patterns: ["agent:*", "*:read"], validUntilMs: 4e12 });
      await cache.put(set);
      expect(await cache.get(user1)).toEqual(set);
    });
  });
}
