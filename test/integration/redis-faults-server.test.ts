// A Redis that stands still, dies, comes back empty or refuses, under two sidecars that are asked all
// the time: the answers stay right, and the metrics say what was wrong.
import { describe, expect, it } from "vitest";
import { failuresIn, SILENCE, startFaultWorld } from "../support/fault-world.ts";
import { freePort } from "../support/free-port.ts";

const PATIENCE = { timeout: 120_000 };

describe("sidecars under load, with a Redis that", () => {
  it("says nothing for a while", PATIENCE, async () => {
    const world = await startFaultWorld();
    const { redis, watch } = world;
    const stopped = await world.suffer({
      begin: () => redis.signal("SIGSTOP"),
      end: () => redis.signal("SIGCONT"),
    });
    expect(failuresIn(stopped, SILENCE)).toBeGreaterThan(0);
    const paused = await world.suffer({ begin: () => redis.admin.client("PAUSE", 2_500) });
    expect(failuresIn(paused, SILENCE)).toBeGreaterThan(0);
    const asleep = await world.suffer({
      begin: () => void redis.admin.call("DEBUG", "SLEEP", "2.5"),
    });
    expect(failuresIn(asleep, SILENCE)).toBeGreaterThan(0);
    await watch.expectHeld();
  });

  it("is killed and comes back empty", PATIENCE, async () => {
    const world = await startFaultWorld();
    const { redis, watch, sidecars } = world;
    const killed = await world.suffer({ begin: () => redis.kill(), end: () => redis.restart() });
    expect(failuresIn(killed, SILENCE)).toBeGreaterThan(0);
    expect(killed("postern_redis_incarnations_total")).toBe(sidecars.length);
    await watch.expectHeld();
  });

  it("refuses to write, or to answer yet", PATIENCE, async () => {
    const world = await startFaultWorld();
    const { redis, watch } = world;
    const { admin } = redis;
    const full = await world.suffer({
      begin: () => admin.config("SET", "maxmemory", "1"),
      end: () => admin.config("SET", "maxmemory", "0"),
    });
    expect(failuresIn(full, ["out-of-memory"])).toBeGreaterThan(0);
    const nobody = await freePort();
    const replica = await world.suffer({
      begin: () => admin.replicaof("127.0.0.1", nobody),
      end: () => admin.replicaof("NO", "ONE"),
    });
    expect(failuresIn(replica, ["readonly"])).toBeGreaterThan(0);
    await admin.call("DEBUG", "POPULATE", "3000", "key", "100");
    await admin.config("SET", "loading-process-events-interval-bytes", "1024");
    await admin.config("SET", "key-load-delay", "800");
    const loading = await world.suffer({ begin: () => void admin.call("DEBUG", "RELOAD") });
    expect(failuresIn(loading, ["loading", ...SILENCE])).toBeGreaterThan(0);
    await watch.expectHeld();
  });
});
