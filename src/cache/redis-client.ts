import { type RedisOptions as ClientOptions, Cluster, Redis } from "ioredis";
import type { RedisUrl } from "../base/redis-url.ts";
import { systemTimers } from "../base/timers.ts";
import { RedisTimeout } from "./redis-failure.ts";

/** What is used of the client library, whichever kind of Redis it speaks to. */
export interface RedisClient {
  /** Sends one command; replies are bytes. */
  call(command: RedisCommand): Promise<unknown>;
  /** Sends commands in one write, all of whose keys share a slot. */
  callAll(commands: readonly RedisCommand[]): Promise<readonly (readonly [unknown, unknown])[]>;
  /** Breaks the connection, if there is one, and makes a new one. */
  reconnect(): void;
  /** Ends for good; what is in flight fails. */
  close(): void;
}

/** A command's name and its arguments. */
export type RedisCommand = readonly [string, ...(string | number | Buffer)[]];

/** How a client is made. */
export interface RedisClientSetup {
  readonly url: RedisUrl;
  /** Certificates to trust, PEM; `undefined` = those that Node knows. */
  readonly ca: string | undefined;
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Told when it can be used, each time it has connected. */
  readonly ready: () => void;
  /** Told when it can't be used any more, and each time that connecting has failed. */
  readonly lost: () => void;
  readonly failed: (error: Error) => void;
}

const CONNECTED: ReadonlySet<string> = new Set(["connect", "ready"]);
const RECONNECT_MAX_MS = 1_000;
const RECONNECT_MIN_MS = 50;
/** Longer than an answer may take, nothing comes: nobody may ever hear of the connection's end. */
const SILENCE_MAX_MS = 1_000;
/** A replica for good, which some address leads to, is no reason to connect without end. */
const ROLE_DOUBT_MS = 5_000;
/** A cluster's command follows the slot once; further steps would take longer than it may. */
const REDIRECTIONS_MAX = 2;

/** Makes a client that connects at once, fails at once, and never sends a command twice. */
export function createRedisClient(setup: RedisClientSetup): RedisClient {
  const { url } = setup;
  const client: Redis | Cluster =
    url.kind === "cluster" ? clusterClient(setup) : new Redis(clientOptions(setup));
  client.on("ready", setup.ready);
  client.on("close", setup.lost);
  // Without a listener, the library prints them.
  client.on("error", setup.failed);
  client.on("node error", setup.failed);
  return {
    call: ([name, ...args]) => inTime(client.callBuffer(name, ...args), setup.commandTimeoutMs),
    async callAll(commands) {
      const pipeline = client.pipeline();
      for (const [name, ...args] of commands) pipeline.callBuffer(name, ...args);
      return (await inTime(pipeline.exec(), setup.commandTimeoutMs)) ?? [];
    },
    reconnect: () => {
      // What is connecting ends by its own time limits. Broken off while it asks sentinels, the
      // client would never connect again.
      if (CONNECTED.has(client.status)) client.disconnect(true);
    },
    close: () => client.disconnect(),
  };
}

/**
 * Fails when an answer is late. What came in while this process was busy with something else is
 * read first: else each long turn of the event loop would count as a silence of Redis.
 */
function inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new RedisTimeout());
    const timer = setTimeout(() => setImmediate(late), timeoutMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function clusterClient(setup: RedisClientSetup): Cluster {
  const { url } = setup;
  return new Cluster([...url.hosts], {
    redisOptions: commonOptions(setup),
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelayMs,
    // A node that is lost is dropped, and found again through the others, wherever its slots are by
    // then; without any, through the hosts of the URL. One that were connected to anew by itself
    // would keep its slots for ever, and keep the client from starting over.
    maxRedirections: REDIRECTIONS_MAX,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    slotsRefreshTimeout: setup.connectTimeoutMs,
    // A certificate names hosts; the library would connect to what they resolve to.
    ...(url.isTls && { dnsLookup: (host: string, done: DnsDone) => done(null, host) }),
  });
}

type ServerOptions = Omit<ClientOptions, "replyMapping">;

type DnsDone = (error: null, address: string) => void;

function clientOptions(setup: RedisClientSetup): ServerOptions {
  const { url, ca } = setup;
  const options: ServerOptions = {
    ...commonOptions(setup),
    db: url.database,
    enableOfflineQueue: false,
    retryStrategy: retryDelayMs,
    reconnectOnError: createRoleDoubt(),
  };
  switch (url.kind) {
    case "unix":
      return { ...options, path: url.socketPath };
    case "sentinel":
      return {
        ...options,
        sentinels: [...url.hosts],
        name: url.masterName,
        sentinelCommandTimeout: setup.connectTimeoutMs,
        sentinelRetryStrategy: retryDelayMs,
        ...(url.isTls && { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(ca) }),
      };
    default:
      return { ...options, ...url.hosts[0] };
  }
}

function commonOptions(setup: RedisClientSetup) {
  const { url, ca } = setup;
  return {
    ...(url.user !== undefined && { username: url.user }),
    ...(url.password !== undefined && { password: url.password }),
    ...(url.isTls && { tls: tlsOptions(ca) }),
    // RESP3 drops pushes in this library, and 2 is spoken by every server.
    protocol: 2 as const,
    connectionName: "postern",
    disableClientInfo: true,
    // For what the library asks itself, such as the login.
    commandTimeout: setup.commandTimeoutMs + setup.connectTimeoutMs,
    connectTimeout: setup.connectTimeoutMs,
    socketTimeout: setup.commandTimeoutMs + SILENCE_MAX_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // It asks INFO, which not every user may; a server that loads says so to each command.
    enableReadyCheck: false,
  };
}

/**
 * Whether to connect anew after an error: a primary that became a replica may keep its connections,
 * while sentinels, a name or a proxy lead to the new one.
 */
function createRoleDoubt(): (error: Error) => boolean {
  let isQuiet = false;
  return ({ message }) => {
    // Redis 6.2 wraps what a script ran into.
    if (isQuiet || !/\bREADONLY\b/.test(message)) return false;
    isQuiet = true;
    systemTimers.after(ROLE_DOUBT_MS, () => {
      isQuiet = false;
    });
    return true;
  };
}

function tlsOptions(ca: string | undefined) {
  return ca === undefined ? {} : { ca };
}

function retryDelayMs(attempt: number): number {
  return Math.min(RECONNECT_MIN_MS * 2 ** Math.min(attempt, 10), RECONNECT_MAX_MS);
}
