import { Create } from "typebox/value";
import { noDeadline } from "../../src/base/deadline.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import { createAnnouncementCodec } from "../../src/cache/announcement-codec.ts";
import { readChangesScript } from "../../src/cache/change-scripts.ts";
import {
  type CacheOptions,
  cacheOptionsSchema,
  type RedisOptions,
  redisOptionsSchema,
} from "../../src/cache/options.ts";
import {
  createRedisConnection,
  type RedisConnection,
  type RedisConnectionDeps,
} from "../../src/cache/redis-connection.ts";
import type { RedisAnswer } from "../../src/cache/redis-failure.ts";
import { createSeal } from "../../src/cache/seal.ts";
import { PdpError } from "../../src/decision/error.ts";
import type { PermissionSet } from "../../src/decision/permission-set.ts";
import type { Directory } from "../../src/directory/directory.ts";
import { servePermissionSets } from "../../src/serving-permission-sets.ts";
import type { FaultyProxy } from "../support/faulty-proxy.ts";
import type { ManualClock } from "../support/manual-clock.ts";
import type { ManualTimers } from "../support/manual-timers.ts";
import type { RedisClock } from "../support/redis-on-clock.ts";
import type { TestDirectory } from "../support/test-directory.ts";
import { Gates } from "./gate.ts";

/** What a sidecar of the model stands in. */
export interface SidecarPlace {
  readonly test: TestDirectory;
  readonly proxy: FaultyProxy;
  readonly clock: ManualClock;
  readonly timers: ManualTimers;
  readonly redisClock: RedisClock;
}

/** A sidecar whose work can be held up at three gates, and which can be kept from its directory. */
export interface ModelSidecar {
  /** `read`: what the directory gave; `question`, `reply`: of Redis. */
  readonly gates: Gates;
  /** While it is, its directory can't be read, nor looked at. */
  isAway: boolean;
  ask(subjectId: string, consistency: Consistency): Promise<PermissionSet>;
  /** Looks at the directory's changes. */
  look(): Promise<void>;
  /** Lets it hear that there is something new in Redis, if it listens. */
  ring(): void;
  /** The newest generation that Redis has told it of. */
  heard(): number;
  /** When it last looked at the directory with success. */
  lookedAtMs(): number;
  /** When Redis last told it so. */
  heardAtMs(): number;
  /** How often Redis has given it no answer. */
  redisFailures(): number;
  isRedisUp(): boolean;
  close(): void;
}

interface Consistency {
  readonly minimumGeneration: number;
  readonly bypassCache: boolean;
}

/** Short, since it passes in real time. */
const COMMAND_TIMEOUT_MS = 25;
/** The longest that an answer may be behind: the two times to live. */
export const BOUND_MS = 35_000;

/** Starts a sidecar. */
export async function startSidecar(place: SidecarPlace): Promise<ModelSidecar> {
  const { test, clock, timers } = place;
  const gates = new Gates();
  const redis = new ModelConnection(place, gates);
  const reach = { isAway: false };
  const served = await servePermissionSets({
    options: optionsFor(place.proxy),
    directory: gatedDirectory(test.directory, reach, gates),
    applications: () => ["platform"],
    ...{ clock, timers, random: () => 0, logger: silentLogger, meter: silentMeter },
    connect: (deps) => redis.connect(deps),
  });
  return {
    gates,
    get isAway() {
      return reach.isAway;
    },
    set isAway(isAway) {
      reach.isAway = isAway;
    },
    async ask(subjectId, consistency) {
      const query = { application: "platform", subjectId, consistency, deadline: noDeadline };
      return served.permissionSets.get(query);
    },
    async look() {
      if (reach.isAway) return;
      test.poll();
      // The database answers in order.
      await test.directory.generation(noDeadline);
    },
    ring: () => redis.ring(),
    heard: () => redis.heard,
    heardAtMs: () => redis.heardAtMs,
    redisFailures: () => redis.failures,
    lookedAtMs: test.directory.announcedUpToMs,
    isRedisUp: () => redis.isUp(),
    close() {
      served.close();
      redis.close();
    },
  };
}

function optionsFor({ port }: FaultyProxy): CacheOptions {
  const redis: RedisOptions = {
    ...Create(redisOptionsSchema),
    url: `redis://127.0.0.1:${port}`,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
  };
  return { ...Create(cacheOptionsSchema), redis };
}

function gatedDirectory(
  directory: Directory,
  reach: { readonly isAway: boolean },
  gates: Gates,
): Directory {
  const read = <T>(work: () => Promise<T>): Promise<T> =>
    gates.run(async () => {
      if (reach.isAway) throw new PdpError("unavailable", "the directory is away");
      const result = await work();
      await gates.pass("read");
      return result;
    });
  return {
    ...directory,
    resolve: (...query) => read(() => directory.resolve(...query)),
    generation: (deadline) => read(() => directory.generation(deadline)),
    changesAfter: (after) => read(() => directory.changesAfter(after)),
  };
}

/** The real connection behind the gates; its bell rings when it is told to. */
class ModelConnection {
  readonly #place: SidecarPlace;
  readonly #gates: Gates;
  readonly #codec = createAnnouncementCodec(createSeal(undefined));
  #real: RedisConnection | undefined;
  #bell: PromiseWithResolvers<void> | undefined;
  #isClosed = false;
  heard = 0;
  heardAtMs = Number.NEGATIVE_INFINITY;
  failures = 0;

  constructor(place: SidecarPlace, gates: Gates) {
    this.#place = place;
    this.#gates = gates;
  }

  connect(deps: RedisConnectionDeps): RedisConnection {
    const real = createRedisConnection(deps);
    this.#real = real;
    const connection = this.#place.redisClock.on(real);
    return {
      ...connection,
      send: (commands) => this.#ask(() => connection.send(commands)),
      run: (script, call) =>
        this.#ask(
          () => connection.run(script, call),
          (value) => {
            if (script === readChangesScript) this.#hear(value);
          },
        ),
      awaitEntry: (stream, id) => this.#awaitEntry(stream, id),
    };
  }

  isUp(): boolean {
    return this.#real?.isUp() ?? false;
  }

  ring(): void {
    this.#bell?.resolve();
  }

  close(): void {
    this.#isClosed = true;
    this.ring();
  }

  #ask<T>(
    ask: () => Promise<RedisAnswer<T>>,
    hear: (value: T) => void = () => {},
  ): Promise<RedisAnswer<T>> {
    return this.#gates.run(async () => {
      await this.#gates.pass("question");
      const answer = await ask();
      await this.#gates.pass("reply");
      if (answer.failure === undefined) hear(answer.value);
      else this.failures += 1;
      return answer;
    });
  }

  async #awaitEntry(stream: string, id: string): ReturnType<RedisConnection["awaitEntry"]> {
    this.#bell = Promise.withResolvers();
    await this.#bell.promise;
    if (this.#isClosed) return { failure: "closed" };
    const read = ["XREAD", "COUNT", 1, "STREAMS", stream, id] as const;
    const answer = await this.#ask(() => this.#real!.send([read]));
    if (answer.failure !== undefined) return answer;
    const [streams] = answer.value as [[[Buffer, [[Buffer, unknown]]]] | null];
    return { value: streams?.[0][1][0][0].toString() };
  }

  #hear(value: unknown): void {
    this.heardAtMs = this.#place.clock.monotonicMs();
    const head = this.#codec.readHead((value as unknown[]).slice(2));
    this.heard = Math.max(this.heard, head?.generation ?? 0);
  }
}
