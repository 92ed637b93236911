import type { Logger } from "../base/logger.ts";
import type { Counter, Meter } from "../base/meter.ts";
import { systemTimers, type Timers } from "../base/timers.ts";
import type { RedisOptions } from "./options.ts";
import { type Breaker, createBreaker } from "./redis-breaker.ts";
import { createRedisClient, type RedisClient, type RedisCommand } from "./redis-client.ts";
import { type RedisAnswer, redisFailure } from "./redis-failure.ts";
import type { RedisScript } from "./redis-script.ts";
import { refusalOf, startRefusal, tryRights } from "./redis-start.ts";
import { redisTarget } from "./redis-target.ts";

/** What a script is given. */
export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly (string | number | Buffer)[];
}

/**
 * A Redis that answers in time or not at all: every call ends with an answer or the reason why there
 * is none, and never throws. Once it has failed to answer, calls end at once until it does again.
 */
export interface RedisConnection {
  /**
   * Resolves when it can be used, or can't be for now, which is logged and tried on. Throws an
   * `Error` that names the option where it will not be usable as configured.
   */
  start(): Promise<void>;
  /** Sends commands in one write; their keys share a slot. Fails with the first that fails. */
  send(commands: readonly RedisCommand[]): Promise<RedisAnswer<readonly unknown[]>>;
  run(script: RedisScript, call: ScriptCall): Promise<RedisAnswer<unknown>>;
  /**
   * Waits, on a connection of its own, for an entry of the stream after `id`, for a second at most;
   * gives the entry's id.
   */
  awaitEntry(stream: string, id: string): Promise<RedisAnswer<string | undefined>>;
  /**
   * Grows whenever it may have gone unheard: what was learnt before it grew may be out of date, and
   * another server may answer.
   */
  epoch(): number;
  /** Whether calls are sent. */
  isUp(): boolean;
  /** The server, as it may be shown. */
  readonly where: string;
  /** Ends everything; what is in flight fails. */
  close(): void;
}

/** What a connection is made of. */
export interface RedisConnectionDeps {
  readonly options: RedisOptions;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly timers?: Timers;
}

/** Connects, and goes on doing so. Throws an `Error` where the options can't be right. */
export function createRedisConnection(deps: RedisConnectionDeps): RedisConnection {
  return new Connection(deps);
}

const AWAIT_ENTRY_MS = 1_000;

class Connection implements RedisConnection {
  readonly where: string;
  readonly #options: RedisOptions;
  readonly #logger: Logger;
  readonly #timers: Timers;
  readonly #failures: Counter;
  readonly #data: RedisClient;
  /** A command that waits would hold up all behind it. */
  readonly #bell: RedisClient;
  readonly #breaker: Breaker;
  readonly #firstOutcome = Promise.withResolvers<void>();
  #refusal: string | undefined;

  constructor({ options, logger, meter, timers = systemTimers }: RedisConnectionDeps) {
    const { where, ...target } = redisTarget(options);
    const { connectTimeoutMs, commandTimeoutMs } = options;
    this.where = where;
    this.#options = options;
    this.#logger = logger;
    this.#timers = timers;
    this.#failures = meter.counter({
      name: "postern_redis_failures_total",
      help: "Calls of Redis without a usable answer, by reason.",
      labels: ["reason"],
    });
    const failed = (error: Error): void => this.#noteError(error);
    this.#data = createRedisClient({
      ...target,
      connectTimeoutMs,
      commandTimeoutMs,
      failed,
      ready: () => void this.#breaker.probe().then(this.#firstOutcome.resolve),
      lost: () => {
        this.#breaker.noteFailure("closed");
        // Where it led to may be another server than the next.
        this.#bell.reconnect();
      },
    });
    this.#bell = createRedisClient({
      ...target,
      connectTimeoutMs,
      commandTimeoutMs: AWAIT_ENTRY_MS + connectTimeoutMs,
      failed,
      ready: () => {},
      lost: () => {},
    });
    this.#breaker = createBreaker({ data: this.#data, where, logger, meter, timers });
  }

  async start(): Promise<void> {
    const stopTimer = this.#timers.after(this.#options.connectTimeoutMs, () =>
      this.#firstOutcome.resolve(),
    );
    await this.#firstOutcome.promise;
    stopTimer();
    const why = await this.#whyRefused();
    if (why !== undefined) throw startRefusal(this.where, why);
    if (this.isUp()) return;
    const [where, lastError] = [this.where, this.#breaker.lastError()];
    this.#logger.warn(
      { where, lastError },
      "Redis can't be used yet; until then, the directory is read.",
    );
  }

  send(commands: readonly RedisCommand[]): Promise<RedisAnswer<readonly unknown[]>> {
    return this.#ask(async () => {
      const replies = await this.#data.callAll(commands);
      return replies.map(([error, reply]) => {
        if (error !== null) throw error;
        return reply;
      });
    });
  }

  async run(script: RedisScript, { keys, args }: ScriptCall): Promise<RedisAnswer<unknown>> {
    const rest = [keys.length, ...keys, ...args];
    const answer = await this.#ask(() => this.#data.call(["EVALSHA", script.sha, ...rest]));
    if (answer.failure !== "no-script") return answer;
    return this.#ask(() => this.#data.call(["EVAL", script.source, ...rest]));
  }

  async awaitEntry(stream: string, id: string): Promise<RedisAnswer<string | undefined>> {
    const wait = ["XREAD", "COUNT", 1, "BLOCK", AWAIT_ENTRY_MS, "STREAMS", stream, id] as const;
    try {
      return { value: entryId(await this.#bell.call(wait)) };
    } catch (error) {
      return { failure: redisFailure(error) };
    }
  }

  epoch(): number {
    return this.#breaker.epoch();
  }

  isUp(): boolean {
    return this.#breaker.isClosed();
  }

  close(): void {
    this.#breaker.close();
    this.#data.close();
    this.#bell.close();
    this.#firstOutcome.resolve();
  }

  async #ask<T>(call: () => Promise<T>): Promise<RedisAnswer<T>> {
    if (!this.isUp()) {
      this.#failures.add(1, { reason: "breaker-open" });
      return { failure: "breaker-open" };
    }
    try {
      return { value: await call() };
    } catch (error) {
      const failure = redisFailure(error);
      this.#breaker.noteFailure(failure);
      this.#failures.add(1, { reason: failure });
      return { failure };
    }
  }

  async #whyRefused(): Promise<string | undefined> {
    if (this.isUp()) return tryRights(this, this.#options.keyPrefix);
    if (this.#refusal !== undefined) return this.#refusal;
    return this.#data.call(["PING"]).then(
      () => undefined,
      (error: Error) => refusalOf(error),
    );
  }

  #noteError(error: Error): void {
    this.#refusal ??= refusalOf(error);
    this.#breaker.noteError(error);
    this.#firstOutcome.resolve();
  }
}

function entryId(reply: unknown): string | undefined {
  const id = (reply as [unknown, [Buffer][]][] | null)?.[0]?.[1]?.[0]?.[0];
  return Buffer.isBuffer(id) ? id.toString("latin1") : undefined;
}
