import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { oneSidecar, putOutcomes } from "../../test/support/redis-tier.ts";
import { decodeSet, encodeSet, type StoredSet } from "./set-codec.ts";

const user1 = { application: "platform", subjectId: "user-1" };

describe("createRedisCache()", () => {
  describe("time", () => {
    it("does not give a set a new life that was read before its process was stopped", async () => {
      const { cache, clock, advance, notes } = await oneSidecar();
      const readAtMs = clock.monotonicMs();
      await advance(29_999);
      expect(await cache.get(user1)).toBe("absent");
      await cache.put(cacheableSet(), readAtMs);
      await advance(1);
      expect(await cache.look(user1)).toBe("absent");
      await cache.put(cacheableSet(), readAtMs);
      expect(putOutcomes({ notes })).toEqual(["stored", "late"]);
    });

    it("counts what is left of a set's life from when it was read", async () => {
      const { cache, clock, advance, notes } = await oneSidecar();
      const readAtMs = clock.monotonicMs();
      const set = cacheableSet({ validUntilMs: clock.wallMs() + 10_000 });
      await advance(2_000);
      await cache.put(set, readAtMs);
      await advance(7_999);
      expect(await cache.get(user1)).toEqual(set);
      await advance(1);
      expect(await cache.look(user1)).toBe("absent");
      await cache.put(set, readAtMs);
      expect(putOutcomes({ notes })).toEqual(["stored", "late"]);
    });

    it("does not store a set past its end where the server's clock was set back a little", async () => {
      const { put, clock, stepServer, notes } = await oneSidecar();
      await stepServer(-500);
      await put(cacheableSet({ validUntilMs: clock.wallMs() }));
      expect(putOutcomes({ notes })).toEqual(["late"]);
    });

    it("says how old a set is", async () => {
      const { cache, put, advance } = await oneSidecar();
      await put();
      await advance(1_234);
      expect(await cache.look(user1)).toMatchObject({ ageMs: 1_234 });
    });

    it("does not serve a set past its time where Redis keeps it", async () => {
      const { cache, put, server, nameOf, advance } = await oneSidecar();
      await put();
      const value = await server.admin.getBuffer(nameOf(user1));
      await advance(30_000);
      await cache.get(user1);
      await server.admin.set(nameOf(user1), value!);
      expect(await cache.look(user1)).toBe("aged");
    });

    it("does not serve a set past its end by the wall clock, which was set forward", async () => {
      const { cache, put, clock } = await oneSidecar();
      await put(cacheableSet({ validUntilMs: clock.wallMs() + 10_000 }));
      clock.stepWall(9_999);
      expect(await cache.look(user1)).toMatchObject({ set: { generation: 1 } });
      clock.stepWall(1);
      expect(await cache.look(user1)).toBe("expired");
    });

    it("serves sets no longer than it is told itself, whatever others are told", async () => {
      const { sidecar, put, advance } = await oneSidecar();
      const brief = await sidecar({ options: { ttlMs: 1_000 } });
      await put();
      await advance(1_000);
      expect(await brief.cache.look(user1)).toBe("aged");
    });

    it("does not store a set for longer where the server's clock was set back since", async () => {
      const { put, stepServer, notes } = await oneSidecar();
      await stepServer(-60_000);
      await put();
      expect(putOutcomes({ notes })).toEqual(["clock-skew"]);
    });

    it("does not serve a set that was known in the future, but for a cluster's clocks", async () => {
      const { cache, put, server, nameOf, seal } = await oneSidecar();
      await put();
      const place = { name: nameOf(user1), key: user1, seal, bytesMax: 10_000 };
      const { set, knownAtRedisMs } = decodeSet(
        (await server.admin.getBuffer(nameOf(user1)))!,
        place,
      ) as StoredSet;
      const lookAhead = async (ms: number) => {
        const ahead = encodeSet({ set, knownAtRedisMs: knownAtRedisMs + ms }, place)!;
        await server.admin.set(nameOf(user1), ahead);
        return cache.look(user1);
      };
      expect(await lookAhead(1_000)).toMatchObject({ set });
      expect(await lookAhead(1_001)).toBe("clock-skew");
    });

    it("begins anew where the server's clock was set back", async () => {
      const { cache, put, stepServer, advance, announcements } = await oneSidecar();
      await put();
      const before = announcements.known()?.incarnation;
      await stepServer(-60_000);
      await advance(3_000);
      expect(await cache.get(user1)).toBe("absent");
      expect(announcements.known()?.incarnation).not.toBe(before);
    });

    it("shortens lives by up to a fifth", async () => {
      const { cache, put, advance } = await oneSidecar({ random: () => 0.5 });
      await put();
      await advance(26_999);
      expect(await cache.get(user1)).toMatchObject({ generation: 1 });
      await advance(1);
      expect(await cache.get(user1)).toBe("absent");
    });
  });
});
