// A real cluster of three nodes, one of which dies.
import { describe, expect, it } from "vitest";
import { startCluster } from "../support/redis-cluster.ts";
import { openLiveDirectory, serveSets } from "../support/served-sets.ts";

const PATIENCE = { timeout: 30_000, interval: 50 };
const ids = Array.from({ length: 30 }, (_, index) => `subject-${index}`);

async function world() {
  const cluster = await startCluster();
  const test = await openLiveDirectory();
  await test.apply(JSON.stringify({ subjects: ids.map((id) => ({ id })) }));
  const one = await serveSets(test.directory, cluster.url);
  const two = await serveSets(test.directory, cluster.url);
  return { cluster, test, one, two };
}

describe("sidecars that share a cluster", () => {
  it("find each other's sets on whichever node they are, and hear of changes", async () => {
    const { cluster, test, one, two } = await world();
    for (const id of ids) await one.ask(id);
    for (const id of ids) {
      await expect.poll(() => two.inRedis(id), PATIENCE).toMatchObject({ status: "active" });
    }
    const held = await Promise.all(cluster.nodes.map(({ admin }) => admin.keys("*:s:*")));
    for (const keys of held) expect(keys.length).toBeGreaterThan(0);
    expect(held.flat()).toHaveLength(ids.length);
    await test.apply(`subjects: [{ id: ${ids[0]}, disabled: true }]`);
    await expect.poll(async () => (await two.ask(ids[0]!)).status, PATIENCE).toBe("disabled");
  });

  it("answer without a node that died, and use it again when it is back", async () => {
    const { cluster, test, one, two } = await world();
    for (const id of ids) await one.ask(id);
    const [first] = cluster.nodes;
    await first!.kill();
    for (const id of ids) expect((await two.ask(id)).status).toBe("active");
    await test.apply(`subjects: [{ id: ${ids[0]}, disabled: true }]`);
    for (const { ask } of [one, two]) {
      await expect.poll(async () => (await ask(ids[0]!)).status, PATIENCE).toBe("disabled");
    }
    await first!.restart();
    const found = async () => {
      for (const id of ids) {
        await one.inspection.purge(id);
        await one.ask(id);
      }
      const entries = await Promise.all(ids.map((id) => two.inRedis(id)));
      return entries.filter(({ miss }) => miss === undefined).length;
    };
    await expect.poll(found, PATIENCE).toBe(ids.length);
  });
});
