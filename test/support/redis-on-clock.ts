import type { Redis } from "ioredis";
import type { RedisConnection } from "../../src/cache/redis-connection.ts";
import { type RedisScript, redisScript } from "../../src/cache/redis-script.ts";
import type { ManualClock } from "./manual-clock.ts";

const TIME = "test:time";
const EXPIRY = "test:expiry";
const FAR_MS = 3_600_000;

/** The time of a real Redis, as a test has it. */
export interface RedisClock {
  /** The connection, with scripts that see this time. */
  on(connection: RedisConnection): RedisConnection;
  /** Moves the clock, and the server's with it: keys expire. */
  advance(ms: number): Promise<void>;
  /** Steps the server's clock alone. Keys don't expire by it before the next `advance`. */
  stepServer(ms: number): Promise<void>;
  /** The server's time. */
  nowMs(): number;
  /** Tells an empty server what time it is. */
  tell(): Promise<void>;
}

/** A real Redis whose time is a test's. */
export interface RedisOnClock extends Omit<RedisClock, "on"> {
  readonly connection: RedisConnection;
}

/** Makes scripts, the only ones that look at the server's time, see the test's instead. */
export async function redisOnClock(
  real: RedisConnection,
  admin: Redis,
  clock: ManualClock,
): Promise<RedisOnClock> {
  const redisClock = createRedisClock(admin, clock);
  await redisClock.tell();
  return { ...redisClock, connection: redisClock.on(real) };
}

/** The time of a server; `tell` it before the first script. */
export function createRedisClock(admin: Redis, clock: ManualClock): RedisClock {
  let offsetMs = Date.parse("2026-01-05T10:00:00Z");
  const nowMs = (): number => clock.monotonicMs() + offsetMs;
  const tell = async (): Promise<void> => {
    const micros = (nowMs() % 1_000) * 1_000;
    await admin.hset(TIME, "seconds", Math.floor(nowMs() / 1_000), "micros", micros);
  };
  return {
    on: (real) => ({
      ...methodsOf(real),
      run: (script, call) => real.run(onTestTime(script), call),
    }),
    async advance(ms) {
      clock.advance(ms);
      await tell();
      for (const [key, atMs] of Object.entries(await admin.hgetall(EXPIRY))) {
        if (Number(atMs) <= nowMs()) await admin.del(key);
      }
    },
    async stepServer(ms) {
      offsetMs += ms;
      await tell();
    },
    nowMs,
    tell,
  };
}

function onTestTime({ source }: RedisScript): RedisScript {
  return redisScript(
    source
      .replace("redis.call('TIME')", `redis.call('HMGET', '${TIME}', 'seconds', 'micros')`)
      .replace(
        /redis\.call\('SET', KEYS\[1\], ARGV\[1\], 'PX', life\)\n/,
        `redis.call('HSET', '${EXPIRY}', KEYS[1], now + life)\n` +
          `redis.call('SET', KEYS[1], ARGV[1], 'PX', ${FAR_MS})\n`,
      ),
  );
}

function methodsOf(real: RedisConnection): RedisConnection {
  return {
    where: real.where,
    start: () => real.start(),
    send: (commands) => real.send(commands),
    run: (script, call) => real.run(script, call),
    awaitEntry: (stream, id) => real.awaitEntry(stream, id),
    epoch: () => real.epoch(),
    isUp: () => real.isUp(),
    close: () => real.close(),
  };
}
