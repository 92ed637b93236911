import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { TIMER_MS_MAX } from "../base/deadline.ts";
import type { SqliteValue } from "./sqlite-protocol.ts";
import type { SqliteResult, SqliteThread } from "./sqlite-thread.ts";
import { createTurns } from "./turns.ts";

/** How a pool of connections in a thread is used. */
export interface SqlitePool {
  /** Called when the first query needs it. */
  readonly start: () => Promise<SqliteThread>;
  readonly connections: number;
  /** `begin` takes the write lock at once, so that a transaction never fails half-way for it. */
  readonly isWriter: boolean;
  /** How many may wait for a connection. */
  readonly waitingMax: number;
  /** Told how many wait, whenever that changes. */
  readonly onWaiting: (count: number) => void;
}

/** Kysely's SQLite, run in another thread. */
export function sqliteDialect(pool: SqlitePool): Dialect {
  return {
    createAdapter: () => new PooledSqliteAdapter(),
    createDriver: () => createDriver(pool),
    createIntrospector: (database) => new SqliteIntrospector(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Kysely's own has one connection, and lets everybody wait for it without a limit. */
class PooledSqliteAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

interface PooledConnection extends DatabaseConnection {
  /** Runs transaction control. */
  control(sql: string): Promise<unknown>;
  /** The `begin` that the statements sent with it depend on. */
  beginning: Promise<unknown> | undefined;
}

function createDriver(pool: SqlitePool): Driver {
  let thread: SqliteThread | undefined;
  const idle: DatabaseConnection[] = [];
  // A write may wait as long as all those before it take, each for another process's write.
  const turns = createTurns({ ...pool, max: pool.connections, waitMaxMs: TIMER_MS_MAX });
  return {
    async init() {
      const started = await pool.start();
      thread = started;
      for (let i = 0; i < pool.connections; i++) idle.push(createConnection(started, i));
    },
    async acquireConnection() {
      await turns.take();
      return idle.pop()!;
    },
    async releaseConnection(connection) {
      idle.push(connection);
      turns.give();
    },
    beginTransaction: (connection) => begin(connection as PooledConnection, pool),
    commitTransaction: (connection) => end(connection as PooledConnection, pool, "commit"),
    rollbackTransaction: (connection) => end(connection as PooledConnection, pool, "rollback"),
    async destroy() {
      await thread?.close();
    },
  };
}

async function begin(connection: PooledConnection, pool: SqlitePool): Promise<void> {
  if (pool.isWriter) {
    await connection.control("begin immediate");
    return;
  }
  // Goes in one message with the first reads, which fail if it does.
  connection.beginning = connection.control("begin");
  connection.beginning.catch(() => {});
}

async function end(
  connection: PooledConnection,
  pool: SqlitePool,
  sql: "commit" | "rollback",
): Promise<void> {
  connection.beginning = undefined;
  const ended = connection.control(sql);
  if (pool.isWriter) await ended;
  // Nobody waits for the end of a read. Were it to fail, the next `begin` would, and be reported.
  else ended.catch(() => {});
}

function createConnection(thread: SqliteThread, connection: number): PooledConnection {
  const run = (sql: string, parameters: readonly unknown[]): Promise<SqliteResult> =>
    thread.execute({ connection, sql, parameters: parameters as readonly SqliteValue[] });
  return {
    beginning: undefined,
    control: (sql) => run(sql, []),
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      const [result] = await Promise.all([run(sql, parameters), this.beginning]);
      return { rows: result.rows as R[], numAffectedRows: BigInt(result.changes) };
    },
    // biome-ignore lint/correctness/useYield: the interface asks for a generator
    async *streamQuery() {
      throw new TypeError("the directory reads whole results");
    },
  };
}
