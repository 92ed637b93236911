import { Create } from "typebox/value";
import { onTestFinished } from "vitest";
import type { Logger } from "../../src/base/logger.ts";
import { systemTimers, type Timers } from "../../src/base/timers.ts";
import { type RedisOptions, redisOptionsSchema } from "../../src/cache/options.ts";
import { createRedisConnection, type RedisConnection } from "../../src/cache/redis-connection.ts";
import { notingMeter } from "./noting-meter.ts";

/** A connection, and all that it said and counted. */
export interface NotedConnection {
  readonly connection: RedisConnection;
  /** What it measured: `name label-values value`. */
  readonly notes: readonly string[];
  /** What it logged. */
  readonly lines: readonly string[];
}

/** Connects with default options but for what is said; ended after the test. */
export function connectRedis(
  says: Partial<RedisOptions> & Pick<RedisOptions, "url">,
  timers: Timers = systemTimers,
): NotedConnection {
  const { meter, notes } = notingMeter();
  const lines: string[] = [];
  const note = (fields: object, message: string): void => {
    lines.push(`${message} ${Object.values(fields).join(" ")}`);
  };
  const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
  const options = { ...(Create(redisOptionsSchema) as RedisOptions), ...says };
  const connection = createRedisConnection({ options, meter, logger, timers });
  onTestFinished(() => connection.close());
  return { connection, notes, lines };
}
