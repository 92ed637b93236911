import { Kysely, sql } from "kysely";
import pg from "pg";
import type { PostgresTarget } from "../base/database-url.ts";
import { PdpError } from "../decision/error.ts";
import type { DirectoryMetrics } from "./directory-metrics.ts";
import { isUpToDate, migrate } from "./migrations.ts";
import type { DirectoryOptions } from "./options.ts";
import { postgresDialect } from "./postgres-dialect.ts";
import { cannotUse } from "./postgres-error.ts";
import { tlsOptions } from "./postgres-tls.ts";
import { POSTGRES_SCHEMA, postgresSchema } from "./schema-dialect.ts";
import { rolledBack, type Store, type TableTransaction, WAITING_WRITES_MAX } from "./store.ts";
import type { Tables } from "./tables.ts";
import { createTurns } from "./turns.ts";

/** The server ends a statement by itself; this is for a server that is not heard any more. */
const ANSWER_MARGIN_MS = 1_000;
const IDLE_CONNECTION_MS = 30_000;
/** A write waits as long as all those before it take, each within its own limits. */
const WRITE_WAIT_MAX_MS = 600_000;

/** A directory that several machines share. */
export function createPostgresStore(
  target: PostgresTarget,
  options: DirectoryOptions,
  metrics: Pick<DirectoryMetrics, "waiting">,
): Store {
  const { connections, connectTimeoutMs, statementTimeoutMs } = options.postgres;
  const reader = open(target, {
    options,
    isWriter: false,
    max: connections,
    waitingMax: options.waitingReadsMax,
    waitMaxMs: connectTimeoutMs,
    statementTimeoutMs,
    onWaiting: (count) => metrics.waiting("read", count),
  });
  const writer = open(target, {
    options,
    isWriter: true,
    max: 1,
    waitingMax: WAITING_WRITES_MAX,
    waitMaxMs: WRITE_WAIT_MAX_MS,
    // Waiting for another process's write is part of the statement that does it.
    statementTimeoutMs: statementTimeoutMs + options.busyTimeoutMs,
    onWaiting: (count) => metrics.waiting("write", count),
  });
  let closing: Promise<unknown> | undefined;
  const whileOpen = async <T>(work: () => Promise<T>): Promise<T> => {
    if (closing !== undefined) throw closed();
    return work();
  };
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw error instanceof PdpError ? cannotUse(options.database, error) : error;
    }
  };
  return {
    dialect: postgresSchema,
    prepare: () =>
      explained(async () => {
        if (!(await isUpToDate(reader, postgresSchema))) await migrate(writer, postgresSchema);
      }),
    isUpToDate: () => explained(() => isUpToDate(reader, postgresSchema)),
    read: (work) =>
      whileOpen(async () => {
        const result = await reader.transaction().execute(work);
        if (closing !== undefined) throw closed();
        return result;
      }),
    write: (work) =>
      whileOpen(() => writer.transaction().execute((transaction) => alone(transaction, work))),
    tryOut: (work) =>
      whileOpen(() =>
        rolledBack(
          () => writer.startTransaction().execute(),
          (transaction) => alone(transaction, work),
        ),
      ),
    async close() {
      closing ??= Promise.all([reader.destroy(), writer.destroy()]);
      await closing;
    },
  };
}

/** Writes one at a time: the row stays locked until the commit, and nobody reads by it. */
async function alone<T>(
  transaction: TableTransaction,
  work: (transaction: TableTransaction) => Promise<T>,
): Promise<T> {
  await sql`select id from state for update`.execute(transaction);
  return work(transaction);
}

function closed(): PdpError {
  return new PdpError("unavailable", "the directory is closed");
}

interface PoolUse {
  readonly options: DirectoryOptions;
  readonly isWriter: boolean;
  readonly max: number;
  readonly waitingMax: number;
  readonly waitMaxMs: number;
  readonly statementTimeoutMs: number;
  readonly onWaiting: (count: number) => void;
}

function open(target: PostgresTarget, use: PoolUse): Kysely<Tables> {
  const start = (): pg.Pool => startPool(target, use);
  return new Kysely<Tables>({
    dialect: postgresDialect({ start, turns: createTurns(use), isWriter: use.isWriter }),
  });
}

function startPool(target: PostgresTarget, use: PoolUse): pg.Pool {
  const { host, port, user, password, database } = target;
  const pool = new pg.Pool({
    host,
    port,
    user,
    ...(password === undefined ? {} : { password }),
    database,
    ssl: tlsOptions(target.tls),
    max: use.max,
    connectionTimeoutMillis: use.options.postgres.connectTimeoutMs,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
    keepAlive: true,
    pipeline: true,
    application_name: "postern",
    options: `-c search_path=${POSTGRES_SCHEMA}`,
    statement_timeout: use.statementTimeoutMs,
    query_timeout: use.statementTimeoutMs + ANSWER_MARGIN_MS,
    lock_timeout: use.options.busyTimeoutMs,
    // A process that is stopped within a change must not keep all others from changing anything.
    idle_in_transaction_session_timeout: use.statementTimeoutMs,
    types: { getTypeParser: typeParser },
  });
  // Whoever uses a connection learns of its failure by their statements; of an idle one nobody
  // need know, since the pool opens another.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

const typeParser: typeof pg.types.getTypeParser = (oid: number, format?: unknown) =>
  oid === pg.types.builtins.INT8
    ? safeInteger
    : pg.types.getTypeParser(oid, format as "text" | undefined);

/** Generations and instants: whole numbers that JavaScript has exactly. */
function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond 2^53`);
  return value;
}
