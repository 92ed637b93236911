// Sets beyond their time, for as long as the operator lets them be used without the directory.
import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { manualTimers } from "../../test/support/manual-timers.ts";
import { notingMeter } from "../../test/support/noting-meter.ts";
import { deadlineIn, noDeadline } from "../base/deadline.ts";
import { type Logger, silentLogger } from "../base/logger.ts";
import { silentMeter } from "../base/meter.ts";
import { PdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { createPermissionSets } from "./cached-permission-sets.ts";
import { createMemoryCache } from "./memory-cache.ts";
import type { SetQuery } from "./permission-sets.ts";

const TTL_MS = 5_000;
const STALE_FOR_MS = 60_000;
const away = () => new PdpError("unavailable", "the directory is away");

/** A directory that is there until it is taken away. */
function setUp({ staleForMs = STALE_FOR_MS } = {}) {
  const clock = manualClock();
  const timers = manualTimers(clock);
  const directory = {
    set: cacheableSet({ generation: 4 }),
    failure: undefined as Error | undefined,
    /** It neither answers nor fails. */
    isSilent: false,
    reads: 0,
    lookedAtMs: Number.NEGATIVE_INFINITY,
  };
  const source = {
    async resolve(): Promise<PermissionSet> {
      directory.reads += 1;
      if (directory.isSilent) await new Promise(() => {});
      if (directory.failure !== undefined) throw directory.failure;
      return directory.set;
    },
  };
  const announcedUpToMs = () => directory.lookedAtMs;
  const options = {
    ...{ fillsMax: 8, waitersMax: 100, fillTimeoutMs: 2_000 },
    ...{ entriesMax: 100, bytesMax: 2 ** 20, ttlMs: TTL_MS, negativeTtlMs: 1_000, staleForMs },
  };
  const random = () => 0;
  const cache = createMemoryCache({ clock, meter: silentMeter, random, announcedUpToMs, options });
  const { meter, notes } = notingMeter();
  const warnings: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => warnings.push(fields) };
  const sets = createPermissionSets({
    ...{ source, cache, clock, timers, meter, logger, options, announcedUpToMs },
  });
  const ask = (says: Partial<SetQuery["consistency"]> & { withinMs?: number } = {}) => {
    const { withinMs, ...consistency } = says;
    return sets.get({
      application: "platform",
      subjectId: "user-1",
      deadline: withinMs === undefined ? noDeadline : deadlineIn(clock, withinMs),
      consistency: { minimumGeneration: 0, bypassCache: false, ...consistency },
    });
  };
  const served = () => notes.filter((note) => note.startsWith("postern_stale_sets_total")).length;
  return { clock, timers, directory, cache, sets, ask, served, warnings };
}

/** The set was read, has aged, and the directory is away. */
async function aged(says: Parameters<typeof setUp>[0] = {}) {
  const world = setUp(says);
  await world.ask();
  world.clock.advance(TTL_MS);
  world.directory.failure = away();
  return world;
}

describe("a set beyond its time, while the directory can't be read", () => {
  it("is given with the instant at which it was last known to be true, counted and logged", async () => {
    const { clock, directory, ask, served, warnings } = await aged();
    const readAtMs = clock.monotonicMs() - TTL_MS;
    expect(await ask()).toEqual({ ...directory.set, lastKnownMs: readAtMs });
    expect(served()).toBe(1);
    expect(warnings).toEqual([{ stalenessMs: TTL_MS, unlogged: 0 }]);
  });

  it("is logged once a second", async () => {
    const { clock, ask, served, warnings } = await aged();
    for (let count = 0; count < 5; count += 1) await ask();
    clock.advance(1_000);
    await ask();
    expect(served()).toBe(6);
    expect(warnings).toEqual([
      { stalenessMs: TTL_MS, unlogged: 0 },
      { stalenessMs: TTL_MS + 1_000, unlogged: 4 },
    ]);
  });

  it("is one object for as long as nothing changes, so that it is compiled once", async () => {
    const { clock, ask } = await aged();
    const first = await ask();
    clock.advance(1_000);
    expect(await ask()).toBe(first);
  });

  it("is not given unless the operator says for how long", async () => {
    const { ask, served } = await aged({ staleForMs: 0 });
    await expect(ask()).rejects.toMatchObject({ kind: "unavailable" });
    expect(served()).toBe(0);
  });

  it("is not given then, either, if the directory was looked at since it was found to be aged", async () => {
    const { clock, cache, directory, ask } = await aged({ staleForMs: 0 });
    expect(cache.get({ application: "platform", subjectId: "user-1" })).toBe("aged");
    directory.lookedAtMs = clock.monotonicMs();
    await expect(ask()).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("is given for that long, and not for a millisecond more", async () => {
    const { clock, ask } = await aged();
    clock.advance(STALE_FOR_MS - 1);
    expect(await ask()).toMatchObject({ lastKnownMs: expect.any(Number) });
    clock.advance(1);
    await expect(ask()).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("is not given past the earliest expiry inside it, by the wall clock", async () => {
    const world = setUp();
    const { clock, directory, ask } = world;
    directory.set = cacheableSet({ validUntilMs: clock.wallMs() + 20_000 });
    await ask();
    clock.advance(TTL_MS);
    directory.failure = away();
    expect(await ask()).toMatchObject({ lastKnownMs: expect.any(Number) });
    clock.stepWall(15_000);
    await expect(ask()).rejects.toMatchObject({ kind: "unavailable" });
  });

  it.each<[string, readonly string[] | "all"]>([
    ["its subject", ["user-1"]],
    ["everything", "all"],
  ])("is not given once a change of %s is heard of", async (_what, subjects) => {
    const { sets, ask } = await aged();
    expect(await ask()).toMatchObject({ generation: 4 });
    sets.invalidate({ generation: 5, subjects });
    await expect(ask()).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("is not given once it was purged", async () => {
    const { cache, ask } = await aged();
    cache.forget(["user-1"]);
    await expect(ask()).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("is not given to who asks for more than it has", async () => {
    const { ask } = await aged();
    await expect(ask({ bypassCache: true })).rejects.toMatchObject({ kind: "unavailable" });
    await expect(ask({ minimumGeneration: 5 })).rejects.toMatchObject({ kind: "unavailable" });
    expect(await ask({ minimumGeneration: 4 })).toMatchObject({ generation: 4 });
  });

  it("is none of a subject that did not exist", async () => {
    const { clock, directory, ask } = setUp();
    directory.set = cacheableSet({ status: "unknown" });
    await ask();
    clock.advance(TTL_MS);
    directory.failure = away();
    await expect(ask()).rejects.toMatchObject({ kind: "unavailable" });
  });

  it.each([
    new PdpError("resource-exhausted", "too many grants"),
    new PdpError("internal", "internal error"),
    new Error("a defect"),
  ])("is not given for another failure than that: %s", async (failure) => {
    const { directory, ask } = await aged();
    directory.failure = failure;
    await expect(ask()).rejects.toThrow();
  });
});

describe("a directory that does not answer", () => {
  it("is waited for once, until it has been heard of again", async () => {
    const { timers, directory, ask } = await aged();
    directory.isSilent = true;
    const first = ask();
    timers.advance(2_000);
    expect(await first).toMatchObject({ lastKnownMs: expect.any(Number) });
    const { reads } = directory;
    expect(await ask({ withinMs: 1 })).toMatchObject({ lastKnownMs: expect.any(Number) });
    expect(directory.reads).toBe(reads);
  });

  it("does not keep a caller beyond its deadline", async () => {
    const { timers, directory, ask } = await aged();
    directory.isSilent = true;
    const asked = ask({ withinMs: 200 });
    timers.advance(200);
    await expect(asked).rejects.toMatchObject({ kind: "deadline-exceeded" });
  });

  it("is waited for once, also if nobody's deadline is as long as a read may take", async () => {
    const { timers, directory, ask } = await aged();
    directory.isSilent = true;
    for (const waitedMs of [200, 1_800]) {
      const asked = ask({ withinMs: waitedMs - 1 });
      timers.advance(waitedMs);
      await expect(asked).rejects.toMatchObject({ kind: "deadline-exceeded" });
    }
    expect(await ask({ withinMs: 1 })).toMatchObject({ lastKnownMs: expect.any(Number) });
  });

  it("is asked again each second, by the way, where nothing else tells that it is back", async () => {
    const { clock, directory, ask } = await aged();
    await ask();
    directory.failure = undefined;
    directory.set = cacheableSet({ generation: 5, status: "disabled" });
    const { reads } = directory;
    clock.advance(999);
    expect(await ask()).toHaveProperty("lastKnownMs");
    expect(directory.reads).toBe(reads);
    clock.advance(1);
    expect(await ask()).toHaveProperty("lastKnownMs");
    expect(await ask()).toMatchObject({ generation: 5, status: "disabled" });
    expect(directory.reads).toBe(reads + 1);
  });

  it("is asked first where it was looked at since a read has failed", async () => {
    const { clock, directory, ask } = await aged();
    await ask();
    clock.advance(1);
    directory.lookedAtMs = clock.monotonicMs() - TTL_MS;
    const { reads } = directory;
    await ask();
    expect(directory.reads).toBe(reads);
    clock.advance(1);
    directory.failure = undefined;
    directory.lookedAtMs = clock.monotonicMs();
    clock.advance(TTL_MS);
    expect(await ask()).not.toHaveProperty("lastKnownMs");
    expect(directory.reads).toBe(reads + 1);
  });
});
