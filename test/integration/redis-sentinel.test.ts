// A real fail-over: a primary is killed, and a sentinel makes its replica the primary.
import { describe, expect, it } from "vitest";
import type { RedisServer } from "../support/redis.ts";
import { startSentinelGroup } from "../support/redis-sentinel.ts";
import { openLiveDirectory, type ServedSets, serveSets } from "../support/served-sets.ts";

const PATIENCE = { timeout: 30_000, interval: 50 };
const grantOf = (subject: string, how: string): string =>
  `applications: { platform: { assignments: [{ subject: ${subject}, roles: [developer], ${how} }] } }`;
const granted = "grantedBy: admin-1, reason: trial";

async function world() {
  const group = await startSentinelGroup();
  const test = await openLiveDirectory();
  await test.apply("subjects: [{ id: alice }, { id: bob }]");
  await test.apply(grantOf("alice", granted));
  const sidecars = [
    await serveSets(test.directory, group.url),
    await serveSets(test.directory, group.url),
  ] as const;
  return { group, test, sidecars };
}

const roles = async ({ ask }: ServedSets, subject: string) =>
  (await ask(subject)).classes.flatMap(({ grants }) => grants.map(({ role }) => role));

const roleOf = async ({ admin }: RedisServer) => ((await admin.call("ROLE")) as string[])[0];

describe("sidecars whose Redis fails over", () => {
  it("answer throughout, and share sets through the new primary by themselves", async () => {
    const { group, sidecars } = await world();
    const [one, two] = sidecars;
    expect(await roles(one, "alice")).toContain("developer");
    await expect.poll(() => two.inRedis("alice"), PATIENCE).toMatchObject({ status: "active" });
    await group.primary.kill();
    // Who is in no memory yet is read from the directory meanwhile.
    expect(await roles(two, "bob")).not.toContain("developer");
    await expect.poll(() => roleOf(group.replica), PATIENCE).toBe("master");
    const shared = async () => {
      await one.inspection.purge("bob");
      await one.ask("bob");
      return two.inRedis("bob");
    };
    await expect.poll(shared, PATIENCE).toMatchObject({ status: "active" });
    expect((await group.replica.admin.keys("postern:*")).length).toBeGreaterThan(0);
  });

  it("deny what was revoked meanwhile, also one that has only the new primary to go by", async () => {
    const { test, group, sidecars } = await world();
    const [one, two] = sidecars;
    for (const sidecar of sidecars) expect(await roles(sidecar, "alice")).toContain("developer");
    await expect.poll(() => two.inRedis("alice"), PATIENCE).toMatchObject({ status: "active" });
    await group.primary.kill();
    await test.apply(grantOf("alice", "remove: true"));
    for (const sidecar of sidecars) {
      await expect.poll(() => roles(sidecar, "alice"), PATIENCE).not.toContain("developer");
    }
    await expect.poll(() => roleOf(group.replica), PATIENCE).toBe("master");
    // The set from before is still there.
    const third = await serveSets(test.directory, group.url);
    await expect.poll(() => third.inRedis("alice"), PATIENCE).toMatchObject({ miss: "outdated" });
    expect(await roles(third, "alice")).not.toContain("developer");
    expect(await roles(one, "alice")).not.toContain("developer");
  });
});
