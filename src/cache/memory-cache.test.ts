import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { silentMeter } from "../base/meter.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { describeSetCache } from "./cache.contract.ts";
import { createMemoryCache } from "./memory-cache.ts";
import { approximateSetBytes } from "./set-size.ts";

const roomy = {
  entriesMax: 100,
  bytesMax: 2 ** 20,
  ttlMs: 5_000,
  negativeTtlMs: 1_000,
  staleForMs: 0,
};

interface Says extends Partial<typeof roomy> {
  readonly random?: () => number;
  readonly announcedUpToMs?: () => number;
}

/** Where nobody knows of changes. */
const never = (): number => Number.NEGATIVE_INFINITY;

function cacheWith(says: Says = {}) {
  const clock = manualClock();
  const { random = () => 0, announcedUpToMs = never, ...limits } = says;
  const options = { ...roomy, ...limits };
  const cache = createMemoryCache({
    clock,
    meter: silentMeter,
    random,
    announcedUpToMs,
    options,
  });
  const put = (set: PermissionSet) => cache.put(set, clock.monotonicMs());
  return { clock, cache: { ...cache, put } };
}

describeSetCache("createMemoryCache()", ({ clock, ttlMs, negativeTtlMs }) => ({
  cache: createMemoryCache({
    clock,
    meter: silentMeter,
    random: () => 0,
    announcedUpToMs: never,
    options: { ...roomy, ttlMs, negativeTtlMs },
  }),
}));

describe("createMemoryCache()", () => {
  const key = (subjectId: string) => ({ application: "platform", subjectId });

  describe("where announcements are known to be complete", () => {
    const sound = () => {
      let upToMs = 0;
      const made = cacheWith({ announcedUpToMs: () => upToMs });
      return {
        ...made,
        confirm: () => {
          upToMs = made.clock.monotonicMs();
        },
      };
    };

    it("serves a set for as long as they are", () => {
      const { cache, clock, confirm } = sound();
      cache.put(cacheableSet({ subjectId: "a" }));
      for (let round = 0; round < 10; round += 1) {
        clock.advance(4_000);
        confirm();
        expect(cache.get(key("a"))).toMatchObject({ generation: 1 });
      }
    });

    it("ages it a time to live after they have stopped, and not before", () => {
      const { cache, clock, confirm } = sound();
      cache.put(cacheableSet({ subjectId: "a" }));
      clock.advance(20_000);
      confirm();
      clock.advance(roomy.ttlMs - 1);
      expect(cache.get(key("a"))).toMatchObject({ generation: 1 });
      clock.advance(1);
      expect(cache.get(key("a"))).toBe("aged");
      confirm();
      expect(cache.get(key("a"))).toBe("absent");
    });

    it("lets a set go whose time is up, and a subject that does not exist", () => {
      const { cache, clock, confirm } = sound();
      cache.put(cacheableSet({ subjectId: "a", validUntilMs: clock.wallMs() + 10_000 }));
      cache.put(cacheableSet({ subjectId: "b", status: "unknown" }));
      clock.advance(4_000);
      confirm();
      expect(cache.get(key("b"))).toBe("aged");
      clock.advance(6_000);
      confirm();
      expect(cache.get(key("a"))).toBe("expired");
    });

    it("still forgets what a change touches", () => {
      const { cache, confirm } = sound();
      cache.put(cacheableSet({ subjectId: "a" }));
      cache.invalidate({ generation: 2, subjects: ["a"] });
      confirm();
      expect(cache.get(key("a"))).toBe("absent");
    });
  });

  it("evicts the oldest set that was not used since, beyond its entries", () => {
    const { cache } = cacheWith({ entriesMax: 2 });
    cache.put(cacheableSet({ subjectId: "a" }));
    cache.put(cacheableSet({ subjectId: "b" }));
    cache.get(key("a"));
    cache.put(cacheableSet({ subjectId: "c" }));
    expect(cache.get(key("b"))).toBe("absent");
    expect(cache.get(key("a"))).toMatchObject({ generation: 1 });
    expect(cache.entries()).toBe(2);
  });

  it("evicts the oldest where all were used", () => {
    const { cache } = cacheWith({ entriesMax: 2 });
    for (const subjectId of ["a", "b", "c"]) {
      cache.put(cacheableSet({ subjectId }));
      cache.get(key("a"));
      cache.get(key(subjectId));
    }
    expect(cache.entries()).toBe(2);
    expect(cache.get(key("a"))).toBe("absent");
    expect(cache.get(key("c"))).toMatchObject({ generation: 1 });
  });

  it("evicts by bytes and counts them exactly", () => {
    const bytes = approximateSetBytes(cacheableSet({ subjectId: "a" }));
    const { cache } = cacheWith({ bytesMax: 2 * bytes });
    for (const subjectId of ["a", "b", "c", "d"]) cache.put(cacheableSet({ subjectId }));
    expect(cache.entries()).toBe(2);
    expect(cache.bytes()).toBe(2 * bytes);
    cache.invalidate({ generation: 2, subjects: ["c", "d"] });
    expect(cache.bytes()).toBe(0);
  });

  it("does not evict everything for a set that is larger than its budget", () => {
    const small = cacheableSet({ subjectId: "a" });
    const { cache } = cacheWith({ bytesMax: 2 * approximateSetBytes(small) });
    cache.put(small);
    const patterns = Array.from({ length: 1_000 }, (_, index) => `agent:action-${index}`);
    cache.put(cacheableSet({ subjectId: "b", patterns }));
    expect(cache.get(key("a"))).toBe(small);
    expect(cache.get(key("b"))).toBe("absent");
  });

  it("keeps the identity of a set that is read again and has not changed", () => {
    const { cache, clock } = cacheWith();
    const former = cache.put(cacheableSet());
    clock.advance(5_000);
    expect(cache.get(key("user-1"))).toBe("aged");
    expect(cache.put(cacheableSet())).toBe(former);
    expect(cache.get(key("user-1"))).toBe(former);
  });

  it("does not know a set again that a change has touched", () => {
    const { cache } = cacheWith();
    const former = cache.put(cacheableSet({ generation: 2 }));
    cache.invalidate({ generation: 2, subjects: ["user-1"] });
    expect(cache.put(cacheableSet({ generation: 2 }))).not.toBe(former);
  });

  it("shortens lifetimes by up to a fifth and never lengthens them", () => {
    const { cache, clock } = cacheWith({ random: () => 0.5 });
    cache.put(cacheableSet());
    clock.advance(4_499);
    expect(cache.get(key("user-1"))).toMatchObject({ generation: 1 });
    clock.advance(1);
    expect(cache.get(key("user-1"))).toBe("aged");
  });
});

describe("look()", () => {
  const key = { application: "platform", subjectId: "user-1" };

  it("tells since when a set is not known to be true any more", () => {
    let upToMs = Number.NEGATIVE_INFINITY;
    const { cache, clock } = cacheWith({ announcedUpToMs: () => upToMs });
    cache.put(cacheableSet());
    clock.advance(1_000);
    expect(cache.look(key)).toMatchObject({ ageMs: 1_000 });
    upToMs = clock.monotonicMs();
    clock.advance(200);
    expect(cache.look(key)).toMatchObject({ ageMs: 200 });
    clock.advance(4_800);
    expect(cache.look(key)).toBe("aged");
    expect(cache.look({ ...key, application: "gateway" })).toBe("absent");
  });
});
