import { describe, expect, it, onTestFinished, vi } from "vitest";
import { manualTimers } from "../../test/support/manual-timers.ts";
import { notingMeter } from "../../test/support/noting-meter.ts";
import { published, sharedTier, twoSidecars } from "../../test/support/redis-tier.ts";
import { silentLogger } from "../base/logger.ts";
import type { SetChange } from "./cache.ts";
import { createRedisAnnouncements } from "./redis-announcements.ts";

const of = (...subjects: string[]): Partial<SetChange> => ({ subjects });

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
      expect(await cache.look({ application: "platform", subjectId: "user-1" })).toBe("untrusted");
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
