import { describe, expect, it, onTestFinished, vi } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { manualTimers } from "../../test/support/manual-timers.ts";
import { notingMeter } from "../../test/support/noting-meter.ts";
import { type SharedTier, type Sidecar, sharedTier } from "../../test/support/redis-tier.ts";
import { silentLogger } from "../base/logger.ts";
import type { SetChange } from "./cache.ts";
import { createRedisAnnouncements } from "./redis-announcements.ts";

const user1 = { application: "platform", subjectId: "user-1" };
const of = (...subjects: string[]): Partial<SetChange> => ({ subjects });

async function twoSidecars() {
  const tier = await sharedTier();
  const [one, other] = [await tier.sidecar(), await tier.sidecar()];
  /** Commits and announces, by `one`. */
  const change = async (says: Partial<SetChange>): Promise<SetChange> => {
    const committed = tier.source.commit(says);
    await one.announcements.announce(committed);
    return committed;
  };
  return { ...tier, one, other, change };
}

/** What the stream has: `generation after subjects`. */
async function published({ server }: SharedTier, { keys }: Sidecar): Promise<string[]> {
  const entries = await server.admin.xrange(keys.stream, "-", "+");
  return entries.map(([id, [, after, , subjects]]) => `${id} ${after} ${subjects}`);
}

const incarnation = ({ announcements }: Sidecar) => announcements.known()?.incarnation;

describe("createRedisAnnouncements()", () => {
  it("tells others of changes, in order, and not the one who told", async () => {
    const { one, other, change } = await twoSidecars();
    await change(of("user-1"));
    await change({ subjects: "all" });
    await change(of("user-2", "user-3"));
    expect(await other.announcements.catchUp()).toBe(true);
    expect(other.heard).toEqual([
      { generation: 1, subjects: ["user-1"] },
      { generation: 2, subjects: "all" },
      { generation: 3, subjects: ["user-2", "user-3"] },
    ]);
    expect(one.heard).toEqual([]);
    expect(other.announcements.known()?.generation).toBe(3);
    expect(other.announcements.known()?.touchedAt("user-2")).toBe(3);
    expect(other.announcements.known()?.touchedAt("user-1")).toBe(2);
  });

  it("rings where an entry comes in, without being asked", async () => {
    const { one, other, source } = await twoSidecars();
    await other.announcements.start();
    await one.announcements.announce(source.commit(of("user-1")));
    await vi.waitFor(() => expect(other.heard).toEqual([{ generation: 1, subjects: ["user-1"] }]));
  });

  it("publishes each change once where several announce it at the same time", async () => {
    const tier = await twoSidecars();
    const { one, other, source } = tier;
    const announced: Promise<boolean>[] = [];
    for (let index = 1; index <= 20; index += 1) {
      const committed = source.commit(of(`user-${index}`));
      announced.push(one.announcements.announce(committed));
      announced.push(other.announcements.announce(committed));
    }
    await Promise.all(announced);
    expect(await published(tier, one)).toEqual(
      Array.from({ length: 20 }, (_, index) => {
        const id = `user-${index + 1}`;
        return `${index + 1}-0 ${index} ${id.length}:${id}`;
      }),
    );
  });

  it("publishes in the directory's order whatever order it is told in", async () => {
    const tier = await twoSidecars();
    const { one, source } = tier;
    const [first, second] = [source.commit(of("user-1")), source.commit(of("user-2"))];
    await one.announcements.announce(second);
    await one.announcements.announce(first);
    expect(await published(tier, one)).toEqual(["1-0 0 6:user-1", "2-0 1 6:user-2"]);
  });

  it("makes good for a process that died before it could announce", async () => {
    const { source, sidecar, other } = await twoSidecars();
    source.commit(of("user-1"));
    const third = await sidecar();
    await third.announcements.start();
    await other.announcements.catchUp();
    expect(other.heard).toEqual([{ generation: 1, subjects: ["user-1"] }]);
  });

  it("names everything where there are more subjects than it names, or a name can't be sent", async () => {
    const { other, change } = await twoSidecars();
    await change({ subjects: Array.from({ length: 1_001 }, (_, index) => `user-${index}`) });
    await change(of("\ud800"));
    await change(of("12:3", "", "*"));
    await other.announcements.catchUp();
    expect(other.heard.map(({ subjects }) => subjects)).toEqual(["all", "all", ["12:3", "", "*"]]);
  });

  describe("where entries are missing", () => {
    it.each<[string, (tier: Awaited<ReturnType<typeof twoSidecars>>) => Promise<unknown>]>([
      ["one was removed", ({ server, one }) => server.admin.xdel(one.keys.stream, "2-0")],
      ["some were trimmed", ({ server, one }) => server.admin.xtrim(one.keys.stream, "MAXLEN", 1)],
      ["all were trimmed", ({ server, one }) => server.admin.xtrim(one.keys.stream, "MAXLEN", 0)],
      ["the stream has expired", ({ server, one }) => server.admin.del(one.keys.stream)],
      [
        "one was altered",
        async ({ server, one }) => {
          const { stream } = one.keys;
          const entries = await server.admin.xrangeBuffer(stream, "-", "+");
          await server.admin.del(stream);
          for (const [id, fields] of entries) {
            const altered = (fields as Buffer[]).map((field) =>
              field.toString() === "6:user-2" ? "6:user-9" : field,
            );
            await server.admin.xadd(stream, id.toString(), ...altered);
          }
        },
      ],
    ])("takes it for a change of everything: %s", async (_, damage) => {
      const tier = await twoSidecars();
      const { other, change } = tier;
      for (const id of ["user-1", "user-2", "user-3"]) await change(of(id));
      await damage(tier);
      expect(await other.announcements.catchUp()).toBe(true);
      expect(other.heard.at(-1)).toMatchObject({ generation: 3, subjects: "all" });
      expect(other.announcements.known()?.touchedAt("anybody")).toBe(3);
      expect(other.notes).toContain("postern_change_gaps_total 1");
    });

    it("reads page after page where there are many", async () => {
      const { other, change } = await twoSidecars();
      for (let index = 0; index < 250; index += 1) await change(of(`user-${index}`));
      await other.announcements.catchUp();
      expect(other.heard).toHaveLength(250);
      expect(other.notes).not.toContain("postern_change_gaps_total 1");
    });
  });

  it("tells of the last change of everything, which it may have missed before it began", async () => {
    const { change, ...tier } = await twoSidecars();
    await change(of("user-1"));
    await change({ subjects: "all" });
    const late = await tier.sidecar();
    expect(late.heard).toEqual([{ generation: 2, subjects: "all" }]);
  });

  it("knows at start which subjects the latest changes have touched", async () => {
    const { sidecar, change } = await twoSidecars();
    await change(of("user-1"));
    await change(of("user-2"));
    const third = await sidecar();
    const known = third.announcements.known();
    expect(known?.generation).toBe(2);
    expect(["user-1", "user-2", "user-3"].map((id) => known?.touchedAt(id))).toEqual([1, 2, 0]);
  });

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

    it("is made good for by who starts then, before it serves", async () => {
      const { sidecar } = await failedOver();
      const third = await sidecar();
      await third.announcements.start();
      expect(await third.cache.look(user1)).toBe("outdated");
    });
  });

  describe("trust", () => {
    it("ends three seconds after the last answer, and with the connection", async () => {
      const { server, one, advance } = await twoSidecars();
      await advance(2_999);
      expect(one.announcements.known()).toBeDefined();
      await advance(1);
      expect(one.announcements.known()).toBeUndefined();
      expect(await one.announcements.catchUp()).toBe(true);
      expect(one.announcements.known()).toBeDefined();

      await server.kill();
      await one.connection.send([["PING"]]);
      await one.connection.send([["PING"]]);
      expect(one.announcements.known()).toBeUndefined();
      await server.restart();
      await vi.waitFor(() => expect(one.connection.isUp()).toBe(true), 5_000);
      expect(one.announcements.known()).toBeUndefined();
    });

    it("does not begin while neither Redis nor the directory says anything", async () => {
      const tier = await sharedTier();
      tier.source.fails = true;
      const { announcements, cache } = await tier.sidecar();
      expect(await announcements.catchUp()).toBe(false);
      expect(announcements.known()).toBeUndefined();
      expect(await cache.look(user1)).toBe("untrusted");
      await announcements.announce({ generation: 1, subjects: "all" });
      expect(announcements.known()).toBeUndefined();
    });
  });

  it("goes on where it could not publish, with the next that it is told", async () => {
    const tier = await twoSidecars();
    const { server, one, change } = tier;
    await server.admin.config("SET", "maxmemory", "1");
    await change(of("user-1"));
    expect(await published(tier, one)).toEqual([]);
    expect(one.notes).toContain("postern_redis_announcements_total failed 1");
    // What it knows itself holds nevertheless.
    expect(one.announcements.known()?.touchedAt("user-1")).toBe(1);
    await server.admin.config("SET", "maxmemory", "0");
    await change(of("user-2"));
    expect(await published(tier, one)).toEqual(["1-0 0 6:user-1", "2-0 1 6:user-2"]);
  });

  it("asks the directory no more often than there is something to publish", async () => {
    const { source, one, other, change } = await twoSidecars();
    await change(of("user-1"));
    const asked = source.asked;
    await one.announcements.catchUp();
    await other.announcements.catchUp();
    await one.announcements.announce({ generation: 2, subjects: [] });
    expect(source.asked).toBe(asked + 1);
  });

  it("beats each second, and leaves no timer behind once it is closed", async () => {
    const { clock, one, source, other } = await twoSidecars();
    const timers = manualTimers(clock);
    const { meter, notes } = notingMeter();
    const { connection, keys, seal } = one;
    const announcements = createRedisAnnouncements({
      ...{ connection, keys, seal, source, clock, timers, meter },
      ...{ listener: () => {}, ttlMs: 30_000, logger: silentLogger },
    });
    onTestFinished(() => announcements.close());
    await announcements.start();
    expect(notes).toContain("postern_change_channel_trusted 1");
    await announcements.announce(source.commit(of("user-1")));
    source.commit(of("user-2"));
    expect(timers.pending()).toBe(1);
    announcements.close();
    expect(timers.pending()).toBe(0);
    await other.announcements.catchUp();
    expect(other.heard).toEqual([{ generation: 1, subjects: ["user-1"] }]);
  });
});

async function overwrite({ admin }: SharedTier["server"], name: string): Promise<void> {
  await admin.set(name, "something else");
}
