// Questions that are sent one behind the other through a network that cuts, delays, holds and resets:
// a reply is given to who asked for it, or to nobody.
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { Create } from "typebox/value";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import { type RedisOptions, redisOptionsSchema } from "../../src/cache/options.ts";
import { createRedisConnection, type RedisConnection } from "../../src/cache/redis-connection.ts";
import { startProxy } from "../support/faulty-proxy.ts";
import { freePort } from "../support/free-port.ts";
import { startRedis } from "../support/redis.ts";

const KEYS = 40;
const COMMAND_TIMEOUT_MS = 20;
/** Apart, so that some wait for a reply while that of others comes too late. */
const APART_MS = 6;

const network = fc.record({
  sliceBytes: fc.constantFrom(1, 3, 7, 64, 65_536),
  /** Milliseconds of each piece, one after the other. */
  delaysMs: fc.array(fc.nat(1), { maxLength: 4 }),
  resetsAfterBytes: fc.oneof(fc.nat(2_000), fc.constant(2 ** 30), fc.constant(2 ** 30)),
  heldMs: fc.constantFrom(0, 15, 22, 27, 40),
  losesReplies: fc.constantFrom(false, false, false, true),
});
const batch = fc.array(fc.nat(KEYS - 1), { minLength: 1 });
const round = fc.record({ network, batches: fc.array(batch, { minLength: 1, maxLength: 4 }) });

/** Of different lengths, so that no reply looks like another's. */
const textOf = (key: number): string => `value ${key} ${"é".repeat(key * 7)}`;

/** How often each outcome came. */
const answered: Record<string, number> = {};

/** Asks for all at once; whose reply was another's. */
async function ask(connection: RedisConnection, keys: readonly number[]): Promise<string[]> {
  const answers = await Promise.all(
    keys.map((key) =>
      connection.send([
        ["GETRANGE", `${key}`, 0, 1_000],
        ["GETRANGE", `${(key + 1) % KEYS}`, 0, 1_000],
      ]),
    ),
  );
  return answers.flatMap((answer, index) => {
    answered[answer.failure ?? "value"] = (answered[answer.failure ?? "value"] ?? 0) + 1;
    if (answer.failure !== undefined) return [];
    const key = keys[index]!;
    const wanted = `${[textOf(key), textOf((key + 1) % KEYS)]}`;
    const given = answer.value.map(String).join();
    return given === wanted ? [] : [`${wanted} was answered by ${given}`];
  });
}

describe("createRedisConnection()", () => {
  it("gives no reply to another's question", { timeout: 240_000 }, async () => {
    const port = await freePort();
    const { admin } = await startRedis({ port });
    for (let key = 0; key < KEYS; key += 1) await admin.set(`${key}`, textOf(key));
    const proxy = await startProxy(port);
    const options: RedisOptions = {
      ...Create(redisOptionsSchema),
      url: `redis://127.0.0.1:${proxy.port}`,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
    };
    const connection = createRedisConnection({ options, logger: silentLogger, meter: silentMeter });
    onTestFinished(() => connection.close());
    await connection.start();

    const isUp = () =>
      vi.waitFor(() => expect(connection.isUp()).toBe(true), { timeout: 30_000, interval: 5 });
    const rounds = fc.array(round, { minLength: 1, maxLength: 3 });
    const property = fc.asyncProperty(rounds, async (given) => {
      for (const { network: bad, batches } of given) {
        proxy.mend();
        await isUp();
        const { delaysMs, heldMs, ...cuts } = bad;
        let piece = 0;
        const delayMs = () => delaysMs[piece++ % delaysMs.length] ?? 0;
        const faults = { ...cuts, ...(delaysMs.length > 0 && { delayMs }) };
        proxy.faults = { ...faults, holds: heldMs > 0 };
        const asked: Promise<string[]>[] = [];
        const released = pause(heldMs).then(() => {
          proxy.faults = faults;
        });
        for (const keys of batches) {
          asked.push(ask(connection, keys));
          await pause(APART_MS);
        }
        await released;
        expect((await Promise.all(asked)).flat()).toEqual([]);
      }
      proxy.mend();
      await isUp();
      expect(await ask(connection, [1, 2, 3])).toEqual([]);
    });
    await fc.assert(property, { numRuns: 12 });
    // Both were there to be confused.
    expect(answered["value"]).toBeGreaterThan(10);
    expect(answered["timeout"]).toBeGreaterThan(10);
  });
});
