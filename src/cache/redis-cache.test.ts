import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { oneSidecar, putOutcomes, sharedTier } from "../../test/support/redis-tier.ts";
import { describeSetCache } from "./cache.contract.ts";
import type { RedisConnection } from "./redis-connection.ts";

const user1 = { application: "platform", subjectId: "user-1" };

describeSetCache("createRedisCache()", async ({ clock, ttlMs, negativeTtlMs }) => {
  const tier = await sharedTier({ clock });
  const { cache } = await tier.sidecar({ options: { ttlMs, negativeTtlMs } });
  return {
    cache: {
      get: cache.get.bind(cache),
      put: cache.put.bind(cache),
      invalidate: (change) => cache.invalidate(tier.source.commit(change)),
    },
    advance: tier.advance,
    dropsSilently: true,
    raisesGenerations: true,
  };
});

/** Whose looks are held up once Redis has answered, until the gate is opened. */
async function heldAnswers() {
  const gate = Promise.withResolvers<void>();
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const through = (connection: RedisConnection): RedisConnection => ({
    ...connection,
    async send(commands) {
      const answer = await connection.send(commands);
      ask();
      await gate.promise;
      return answer;
    },
  });
  return { ...(await oneSidecar({ through })), asked, gate };
}

describe("createRedisCache()", () => {
  it("gives a set to another sidecar", async () => {
    const { put, sidecar } = await oneSidecar();
    await put(cacheableSet({ patterns: ["agent:*"] }));
    const other = await sidecar();
    expect(await other.cache.get(user1)).toEqual(cacheableSet({ patterns: ["agent:*"] }));
  });

  describe("a set that may have missed a change", () => {
    it("is refused while the stored one is newer", async () => {
      const { cache, put, notes } = await oneSidecar();
      await put(cacheableSet({ generation: 5 }));
      await put(cacheableSet({ generation: 4 }));
      expect(putOutcomes({ notes })).toEqual(["stored", "older"]);
      expect(await cache.get(user1)).toMatchObject({ generation: 5 });
    });

    it("is refused below its subject's floor by who has not heard of the change", async () => {
      const { source, sidecar, cache, clock } = await oneSidecar();
      const deaf = await sidecar();
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      expect(deaf.announcements.known()?.generation).toBe(0);
      await deaf.cache.put(cacheableSet({ generation: 0 }), clock.monotonicMs());
      expect(putOutcomes(deaf)).toEqual(["outdated"]);
    });

    it("is not served below its subject's floor by who has not heard of the change", async () => {
      const { source, sidecar, cache, put } = await oneSidecar();
      const deaf = await sidecar();
      await put(cacheableSet({ generation: 0 }));
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      expect(await deaf.cache.look(user1)).toBe("outdated");
    });

    it("is not served where Redis has lost the floor", async () => {
      const { source, server, cache, put, keys, announcements } = await oneSidecar();
      await put(cacheableSet({ generation: 0 }));
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      await server.admin.del(keys.floor(announcements.known()!.incarnation, "user-1"));
      expect(await cache.look(user1)).toBe("outdated");
    });

    it("is not stored where the change is heard of while it is read", async () => {
      const { source, cache, clock, notes } = await oneSidecar();
      const readAtMs = clock.monotonicMs();
      const read = cacheableSet({ generation: 0 });
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      await cache.put(read, readAtMs);
      expect(putOutcomes({ notes })).toEqual(["outdated"]);
      expect(await cache.get(user1)).toBe("absent");
    });

    it("is not stored where the change is known and Redis has lost the floor", async () => {
      const { source, server, cache, put, keys, announcements, notes } = await oneSidecar();
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      await server.admin.del(keys.floor(announcements.known()!.incarnation, "user-1"));
      await put(cacheableSet({ generation: 0 }));
      expect(putOutcomes({ notes })).toEqual(["outdated"]);
    });

    it("is not served by who hears of the change before the answer", async () => {
      const { source, cache, put, asked, gate } = await heldAnswers();
      await put(cacheableSet({ generation: 0 }));
      const looking = cache.look(user1);
      await asked;
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      gate.resolve();
      expect(await looking).toBe("outdated");
    });

    it("is not served by who hears of a purge before the answer", async () => {
      const { cache, put, asked, gate, announcements } = await heldAnswers();
      await put();
      const looking = cache.look(user1);
      await asked;
      await announcements.renew();
      gate.resolve();
      expect(await looking).toBe("untrusted");
    });
  });

  it("gives a set as of the newest change that leaves it as it is", async () => {
    const { source, cache, put } = await oneSidecar();
    await put(cacheableSet({ generation: 0 }));
    await cache.invalidate(source.commit({ subjects: ["user-2"] }));
    await cache.invalidate(source.commit({ subjects: ["user-3"] }));
    const hit = await cache.look(user1);
    expect(hit).toMatchObject({ set: { generation: 2 } });
  });

  describe("where Redis fails", () => {
    it("misses with its reason, and stores nothing", async () => {
      const { cache, put, server, notes } = await oneSidecar();
      await server.kill();
      expect(await cache.get(user1)).toBe("absent");
      await cache.get(user1);
      expect(notes.filter((note) => note.includes("redis_misses"))).toEqual([
        expect.stringMatching(/^postern_redis_misses_total (closed|timeout|breaker-open) 1$/),
        "postern_redis_misses_total breaker-open 1",
      ]);
      const set = cacheableSet();
      expect(await put(set)).toBe(set);
      expect(putOutcomes({ notes })).toEqual(["untrusted"]);
    });

    it("says so where its memory is used up", async () => {
      const { cache, put, server, notes } = await oneSidecar();
      await server.admin.config("SET", "maxmemory", "1");
      await put();
      expect(putOutcomes({ notes })).toEqual(["out-of-memory"]);
      expect(await cache.get(user1)).toBe("absent");
    });

    it("asks for changes before it reads where nobody has told of any lately", async () => {
      const { source, cache, put, sidecar, advance } = await oneSidecar();
      const deaf = await sidecar();
      await put(cacheableSet({ generation: 0 }));
      await put(cacheableSet({ generation: 0, subjectId: "user-2" }));
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      await advance(3_000);
      expect(deaf.announcements.known()).toBeUndefined();
      expect(await deaf.cache.look({ ...user1, subjectId: "user-2" })).toMatchObject({
        set: { generation: 1 },
      });
      expect(deaf.heard).toEqual([{ generation: 1, subjects: ["user-1"] }]);
    });
  });

  it("forgets a subject's sets on demand, and everything", async () => {
    const { cache, put, announcements } = await oneSidecar();
    await put();
    await put(cacheableSet({ application: "gateway" }));
    expect(await cache.forget("user-1", ["platform"])).toBe(true);
    expect(await cache.get(user1)).toBe("absent");
    expect(await cache.get({ ...user1, application: "gateway" })).toMatchObject({ generation: 1 });
    expect(await announcements.renew()).toBe(true);
    expect(await cache.get({ ...user1, application: "gateway" })).toBe("absent");
  });
});
