import type { Redis } from "ioredis";
import { expect, onTestFinished } from "vitest";
import { type FaultyProxy, startProxy } from "../support/faulty-proxy.ts";
import { freePort } from "../support/free-port.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";
import { type ManualTimers, manualTimers } from "../support/manual-timers.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { createRedisClock, type RedisClock } from "../support/redis-on-clock.ts";
import { openTestDirectory, type TestDirectory } from "../support/test-directory.ts";

export const SIDECARS = 3;

/** What the schedules of one run share; each begins with an empty Redis and subjects of its own. */
export interface World {
  readonly server: RedisServer;
  readonly clock: ManualClock;
  readonly timers: ManualTimers;
  readonly redisClock: RedisClock;
  /** One before each sidecar. */
  readonly proxies: readonly FaultyProxy[];
  /** One for each sidecar, and one for whoever changes the directory and tells nobody. */
  readonly directories: readonly TestDirectory[];
  readonly outsider: TestDirectory;
  /** Different for each schedule. */
  readonly nextName: () => string;
}

/** Starts Redis, proxies and the directory; they end with the test. */
export async function openWorld(): Promise<World> {
  const port = await freePort();
  const server = await startRedis({ port });
  const clock = manualClock();
  const outsider = await openTestDirectory({}, { clock });
  onTestFinished(() => outsider.dispose());
  const proxies: FaultyProxy[] = [];
  const directories: TestDirectory[] = [];
  for (let index = 0; index < SIDECARS; index += 1) {
    proxies.push(await startProxy(port));
    directories.push(await outsider.openAnother());
  }
  onTestFinished(async () => {
    for (const directory of directories) await directory.dispose();
  });
  let schedules = 0;
  return {
    ...{ server, clock, proxies, directories, outsider },
    timers: manualTimers(clock),
    redisClock: createRedisClock(server.admin, clock),
    nextName: () => `s${schedules++}`,
  };
}

/** What Redis holds of the tier, to be put back as after a fail-over that lost the last writes. */
export async function copyRedis(admin: Redis): Promise<ReadonlyMap<string, Buffer>> {
  const copy = new Map<string, Buffer>();
  for (const name of await admin.keys("postern:*")) {
    const dump = await admin.dumpBuffer(name);
    if (dump !== null) copy.set(name, dump);
  }
  return copy;
}

export async function putBackRedis(admin: Redis, copy: ReadonlyMap<string, Buffer>): Promise<void> {
  const gone = (await admin.keys("postern:*")).filter((name) => !copy.has(name));
  if (gone.length > 0) await admin.del(gone);
  for (const [name, dump] of copy) await admin.restore(name, 0, dump, "REPLACE");
}

/** Waits until nothing is under way that isn't held. */
export async function untilIdle(isBusy: () => boolean): Promise<void> {
  const patienceMs = 20_000;
  const untilMs = performance.now() + patienceMs;
  for (let idleTurns = 0; idleTurns < 4; ) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    idleTurns = isBusy() ? 0 : idleTurns + 1;
    if (performance.now() > untilMs) expect.fail(`not idle after ${patienceMs} ms`);
  }
}
