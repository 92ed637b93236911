// A Redis whose content is not what the sidecars put there, and one that is deaf on the channel of
// changes alone: each a miss or a delay, and never an answer.
import type { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { startFaultWorld } from "../support/fault-world.ts";

const PATIENCE = { timeout: 120_000 };
const HUGE_BYTES = 64 * 2 ** 20;
/** More than a value may have. */
const LARGE_BYTES = 2 ** 20;

/** Does `work` again and again until the function it gives is called. */
function again(work: () => Promise<unknown>): () => Promise<void> {
  let isOver = false;
  const ended = (async () => {
    while (!isOver) {
      await work();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const end = (): Promise<void> => {
    isOver = true;
    return ended;
  };
  onTestFinished(end);
  return end;
}

const setsIn = (admin: Redis): Promise<string[]> => admin.keys("postern:*:s:*");

async function endBells(admin: Redis): Promise<void> {
  const clients = String(await admin.client("LIST")).split("\n");
  for (const client of clients.filter((line) => line.includes("cmd=xread"))) {
    const [, id] = /id=(\d+)/.exec(client) ?? [];
    await admin.client("KILL", "ID", id!);
  }
}

describe("sidecars under load, with a Redis in which", () => {
  it("sets are of another type, or huge", PATIENCE, async () => {
    const world = await startFaultWorld();
    const { admin } = world.redis;
    let end = async (): Promise<void> => {};
    const lists = await world.suffer({
      begin: () => {
        end = again(async () => {
          for (const name of await setsIn(admin))
            await admin.multi().del(name).lpush(name, "x").exec();
        });
      },
      end: async () => {
        await end();
        await admin.flushall();
      },
    });
    expect(lists('postern_redis_misses_total{reason="wrong-type"}')).toBeGreaterThan(0);
    const huge = await world.suffer({
      begin: () => {
        end = again(async () => {
          // All of them, since a sidecar asks once for what it then remembers; one of them more.
          for (const [index, name] of (await setsIn(admin)).entries())
            await admin.setrange(name, (index === 0 ? HUGE_BYTES : LARGE_BYTES) - 1, "x");
        });
      },
      end: () => end(),
    });
    expect(huge('postern_redis_misses_total{reason="too-large"}')).toBeGreaterThan(0);
    await world.watch.expectHeld();
  });

  it("the connection that waits for changes ends again and again", PATIENCE, async () => {
    const world = await startFaultWorld();
    let end = async (): Promise<void> => {};
    const deaf = await world.suffer({
      begin: () => {
        end = again(() => endBells(world.redis.admin));
      },
      end: () => end(),
    });
    expect(deaf("postern_redis_hits_total")).toBeGreaterThan(0);
    await world.watch.expectHeld();
  });
});
