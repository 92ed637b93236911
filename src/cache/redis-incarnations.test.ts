import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import {
  published,
  type SharedTier,
  type Sidecar,
  sharedTier,
  twoSidecars,
} from "../../test/support/redis-tier.ts";
import type { SetChange } from "./cache.ts";
import { renewScript } from "./change-scripts.ts";
import type { RedisConnection } from "./redis-connection.ts";

const user1 = { application: "platform", subjectId: "user-1" };
const of = (...subjects: string[]): Partial<SetChange> => ({ subjects });
const incarnation = ({ announcements }: Sidecar) => announcements.known()?.incarnation;

describe("createRedisAnnouncements()", () => {
  describe("a new incarnation", () => {
    it("begins where Redis is empty, once, with the directory away, and nothing is forgotten", async () => {
      const { server, source, one, other, change, clock } = await twoSidecars();
      await change(of("user-1"));
      await other.announcements.catchUp();
      await one.cache.put(cacheableSet(), clock.monotonicMs());
      const before = incarnation(one);
      source.fails = true;
      // Another prefix has the test's clock.
      await server.admin.del(await server.admin.keys("postern:*"));
      await Promise.all([one.announcements.catchUp(), other.announcements.catchUp()]);
      await Promise.all([one.announcements.catchUp(), other.announcements.catchUp()]);
      expect(incarnation(one)).not.toBe(before);
      expect(incarnation(other)).toBe(incarnation(one));
      expect(await other.cache.get(user1)).toBe("absent");
      expect(other.announcements.known()?.generation).toBe(1);
      expect(other.heard).toHaveLength(1);
    });

    it.each<[string, (tier: Awaited<ReturnType<typeof twoSidecars>>) => Promise<unknown>]>([
      ["a head of another type", ({ server, one }) => overwrite(server, one.keys.head)],
      ["a stream of another type", ({ server, one }) => overwrite(server, one.keys.stream)],
      [
        "a head that nobody sealed",
        ({ server, one }) => server.admin.hset(one.keys.head, "generation", "99"),
      ],
      [
        "a purge that nobody sealed",
        ({ server, one }) => server.admin.hset(one.keys.head, "purge", "purge"),
      ],
      ["half a head", ({ server, one }) => server.admin.hdel(one.keys.head, "seal")],
    ])("begins in place of %s", async (_, damage) => {
      const tier = await twoSidecars();
      const { one, other, change } = tier;
      await change(of("user-1"));
      const before = incarnation(one);
      await damage(tier);
      expect(await other.announcements.catchUp()).toBe(true);
      expect(incarnation(other)).not.toBe(before);
      await change(of("user-2"));
      await other.announcements.catchUp();
      expect(other.heard.at(-1)).toEqual({ generation: 2, subjects: ["user-2"] });
    });

    it("begins with what was published before the server's clock was set back", async () => {
      const { one, other, change, advance, stepServer } = await twoSidecars();
      const before = incarnation(one);
      for (let index = 0; index < 150; index += 1) await change(of(`user-${index}`));
      await advance(1);
      await stepServer(-60_000);
      expect(await other.announcements.catchUp()).toBe(true);
      expect(other.heard).toHaveLength(150);
      expect(other.announcements.known()).toMatchObject({ generation: 150 });
      await one.announcements.catchUp();
      expect(incarnation(one)).not.toBe(before);
      expect(incarnation(other)).toBe(incarnation(one));
    });

    it("begins where the server's clock was set back and Redis failed at first", async () => {
      const tier = await sharedTier();
      let fails = false;
      const through = (connection: RedisConnection): RedisConnection => ({
        ...connection,
        run: async (script, call) =>
          fails && script === renewScript
            ? { failure: "timeout" as const }
            : connection.run(script, call),
      });
      const one = await tier.sidecar({ through });
      const before = incarnation(one);
      fails = true;
      await tier.stepServer(-60_000);
      expect(await one.announcements.catchUp()).toBe(false);
      fails = false;
      expect(await one.announcements.catchUp()).toBe(true);
      expect(incarnation(one)).not.toBe(before);
    });

    it("takes no set of before its first generation", async () => {
      const { one, change, clock } = await twoSidecars();
      await change(of("user-2"));
      await change(of("user-3"));
      expect(await one.announcements.renew()).toBe(true);
      await one.cache.put(cacheableSet({ generation: 1 }), clock.monotonicMs());
      expect(await one.cache.look(user1)).toBe("absent");
    });

    it("begins where the stream takes no more, since somebody has put a higher id there", async () => {
      const { server, one, other, change } = await twoSidecars();
      await server.admin.xadd(one.keys.stream, "999999-0", "x", "y");
      const before = incarnation(one);
      await change(of("user-1"));
      await other.announcements.catchUp();
      expect(incarnation(one)).not.toBe(before);
      expect(other.announcements.known()?.touchedAt("user-1")).toBe(1);
    });

    it("begins where the directory was replaced by an older copy", async () => {
      const { source, one, other, change, clock } = await twoSidecars();
      for (const id of ["user-1", "user-2", "user-3"]) await change(of(id));
      await one.cache.put(cacheableSet({ generation: 3 }), clock.monotonicMs());
      source.goBack(1);
      await one.announcements.announce({ generation: 1, subjects: "all" });
      expect(one.announcements.known()?.generation).toBe(1);
      expect(await one.cache.get(user1)).toBe("absent");
      await other.announcements.announce({ generation: 1, subjects: "all" });
      expect(other.announcements.known()?.generation).toBe(1);
      expect(incarnation(other)).toBe(incarnation(one));
      await one.cache.put(cacheableSet({ generation: 1 }), clock.monotonicMs());
      expect(await other.cache.get(user1)).toMatchObject({ generation: 1 });
    });

    it("begins at start where Redis knows of a later past than the directory", async () => {
      const { source, sidecar, change } = await twoSidecars();
      for (const id of ["user-1", "user-2", "user-3"]) await change(of(id));
      source.goBack(2);
      const third = await sidecar();
      await third.announcements.start();
      expect(third.announcements.known()?.generation).toBe(2);
      // Whoever had heard of a later change remembers sets again.
      expect(third.heard).toContainEqual({ generation: 2, subjects: "all", isRestart: true });
    });
  });

  describe("a fail-over that lost the last writes", () => {
    async function failedOver() {
      const tier = await twoSidecars();
      const { server, one, change, clock } = tier;
      await change(of("user-9"));
      await one.cache.put(cacheableSet({ generation: 1 }), clock.monotonicMs());
      const { head, stream, set } = one.keys;
      const names = [head, stream, set(incarnation(one)!, user1)];
      const dumps = await Promise.all(names.map((name) => server.admin.dumpBuffer(name)));
      await change(of("user-1"));
      await server.admin.del(one.keys.floor(incarnation(one)!, "user-1"));
      for (const [index, name] of names.entries()) {
        await server.admin.restore(name, 0, dumps[index]!, "REPLACE");
      }
      return tier;
    }

    it("is no loss to who knew of them", async () => {
      const { one } = await failedOver();
      await one.announcements.catchUp();
      expect(await one.cache.look(user1)).toBe("outdated");
    });

    it("is made good for with the next change", async () => {
      const tier = await failedOver();
      const { one, other, change } = tier;
      await change(of("user-3"));
      expect(await published(tier, one)).toEqual([
        "1-0 0 6:user-9",
        "2-0 1 6:user-1",
        "3-0 2 6:user-3",
      ]);
      await other.announcements.catchUp();
      expect(await other.cache.look(user1)).toBe("outdated");
    });

    it("is noticed where the directory was put back at the same time", async () => {
      const { one, source, change } = await failedOver();
      await change(of("user-1"));
      const before = incarnation(one);
      source.goBack(2);
      await one.announcements.announce({ generation: 2, subjects: ["user-1"] });
      expect(incarnation(one)).not.toBe(before);
      expect(one.announcements.known()?.generation).toBe(2);
    });

    it("is made good for by who starts then, before it serves", async () => {
      const { sidecar } = await failedOver();
      const third = await sidecar();
      await third.announcements.start();
      expect(await third.cache.look(user1)).toBe("outdated");
    });
  });
});

async function overwrite({ admin }: SharedTier["server"], name: string): Promise<void> {
  await admin.set(name, "something else");
}
