// A network between sidecars and Redis that loses, delays, cuts and resets, with the directory in a
// real PostgreSQL: the answers stay right, and the metrics say what was wrong.
import { describe, expect, it, onTestFinished } from "vitest";
import { type FaultWorld, failuresIn, SILENCE, startFaultWorld } from "../support/fault-world.ts";
import type { ProxyFaults } from "../support/faulty-proxy.ts";
import { startPostgres } from "../support/postgres.ts";

const PATIENCE = { timeout: 120_000 };

async function startOnPostgres(): Promise<FaultWorld> {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.dispose());
  return startFaultWorld({ database: await postgres.createDatabase() });
}

/** Lets the network be like this for a while; how often Redis has failed by it. */
async function sufferFrom({ suffer, proxy }: FaultWorld, faults: ProxyFaults): Promise<number> {
  const grown = await suffer({
    begin: () => {
      proxy.faults = faults;
    },
    end: () => {
      proxy.faults = {};
    },
  });
  return failuresIn(grown, SILENCE);
}

describe("sidecars under load, with a network to Redis that", () => {
  it("loses everything, or the replies alone, and tells nobody", PATIENCE, async () => {
    const world = await startOnPostgres();
    expect(await sufferFrom(world, { isBlackHole: true })).toBeGreaterThan(0);
    expect(await sufferFrom(world, { losesReplies: true })).toBeGreaterThan(0);
    await world.watch.expectHeld();
  });

  it("ends one side of each connection, and the other not", PATIENCE, async () => {
    const world = await startOnPostgres();
    const halfOpen = await world.suffer({ begin: () => world.proxy.halfOpen() });
    expect(failuresIn(halfOpen, SILENCE)).toBeGreaterThan(0);
    await world.watch.expectHeld();
  });

  it("is slow, or cuts replies into bytes, or resets in the middle of one", PATIENCE, async () => {
    const world = await startOnPostgres();
    const delayMs = () => 150 + 100 * Math.random();
    expect(await sufferFrom(world, { delayMs })).toBeGreaterThan(0);
    await sufferFrom(world, { sliceBytes: 1 });
    expect(await sufferFrom(world, { resetsAfterBytes: 5 })).toBeGreaterThan(0);
    await world.watch.expectHeld();
  });
});
