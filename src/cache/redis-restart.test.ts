// A directory of which another copy was put back: what was read before says nothing any more.
import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { type Sidecar, sharedTier } from "../../test/support/redis-tier.ts";
import type { RedisConnection } from "./redis-connection.ts";

const user1 = { application: "platform", subjectId: "user-1" };
const incarnation = ({ announcements }: Sidecar) => announcements.known()?.incarnation;

async function sharedSet({ restartsAt = 5 } = {}) {
  const tier = await sharedTier();
  let isAway = false;
  const through = (connection: RedisConnection): RedisConnection => ({
    ...connection,
    run: async (script, call) =>
      isAway ? { failure: "timeout" as const } : connection.run(script, call),
  });
  const one = await tier.sidecar({ through });
  const other = await tier.sidecar();
  for (let count = 0; count < 3; count += 1) {
    await one.announcements.announce(tier.source.commit({ subjects: ["user-2"] }));
  }
  await other.announcements.catchUp();
  await other.cache.put(cacheableSet({ generation: 3 }), tier.clock.monotonicMs());
  expect(await one.cache.get(user1)).toMatchObject({ generation: 3 });
  await tier.advance(1);
  const restart = tier.source.commit({ generation: restartsAt, isRestart: true });
  const setRedisAway = (away: boolean): void => {
    isAway = away;
  };
  return { ...tier, one, other, restart, setRedisAway };
}

describe("announce() of a restart", () => {
  it("makes an end of the sets in Redis, although the new past has grown beyond the old", async () => {
    const { one, other, restart, clock } = await sharedSet();
    const before = incarnation(other);
    await one.cache.invalidate(restart);
    expect(await one.cache.get(user1)).toBe("absent");
    expect(await other.announcements.catchUp()).toBe(true);
    expect(incarnation(other)).not.toBe(before);
    expect(await other.cache.get(user1)).toBe("absent");
    await one.cache.put(cacheableSet({ generation: 5 }), clock.monotonicMs() + 1);
    expect(await other.cache.get(user1)).toMatchObject({ generation: 5 });
  });

  it("has the others forget what they remember themselves", async () => {
    const { one, other, restart } = await sharedSet({ restartsAt: 2 });
    const heardBefore = other.heard.length;
    await one.cache.invalidate(restart);
    await other.announcements.catchUp();
    expect(other.heard.slice(heardBefore)).toEqual([{ generation: 2, subjects: "all" }]);
  });

  it("uses no set from Redis until they could be made an end of", async () => {
    const { one, restart, setRedisAway } = await sharedSet();
    setRedisAway(true);
    expect(await one.announcements.announce(restart)).toBe(false);
    expect(await one.cache.look(user1)).toBe("untrusted");
    setRedisAway(false);
    expect(await one.cache.look(user1)).toBe("absent");
  });
});

describe("renew()", () => {
  it("has all sidecars forget what they remember themselves", async () => {
    const { one, other } = await sharedSet();
    const heardBefore = other.heard.length;
    expect(await one.announcements.renew()).toBe(true);
    await other.announcements.catchUp();
    expect(other.heard.slice(heardBefore)).toEqual([{ generation: 3, subjects: "all" }]);
    // It is heard of once.
    await other.announcements.catchUp();
    expect(other.heard).toHaveLength(heardBefore + 1);
  });
});
