import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { PdpError } from "../decision/error.ts";
import type { SqliteValue } from "./sqlite-protocol.ts";
import type { SqliteThread } from "./sqlite-thread.ts";

/** How a pool of connections in a thread is used. */
export interface SqlitePool {
  /** Called when the first query needs it. */
  readonly start: () => Promise<SqliteThread>;
  readonly connections: number;
  /** `begin` takes the write lock at once, so that a transaction never fails half-way for it. */
  readonly isWriter: boolean;
  /** How many may wait for a connection. */
  readonly waitingMax: number;
}

/** Kysely's SQLite, run in another thread. */
export function sqliteDialect(pool: SqlitePool): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => createDriver(pool),
    createIntrospector: (database) => new SqliteIntrospector(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

function createDriver(pool: SqlitePool): Driver {
  let thread: SqliteThread | undefined;
  const idle: DatabaseConnection[] = [];
  const queue: ((connection: DatabaseConnection) => void)[] = [];
  const run = (connection: DatabaseConnection, sql: string): Promise<unknown> =>
    connection.executeQuery(CompiledQuery.raw(sql));
  return {
    async init() {
      const started = await pool.start();
      thread = started;
      for (let i = 0; i < pool.connections; i++) idle.push(createConnection(started, i));
    },
    async acquireConnection() {
      const connection = idle.pop();
      if (connection !== undefined) return connection;
      if (queue.length >= pool.waitingMax) {
        throw new PdpError("resource-exhausted", "too many directory reads are waiting");
      }
      return new Promise((resolve) => queue.push(resolve));
    },
    async releaseConnection(connection) {
      const next = queue.shift();
      if (next === undefined) idle.push(connection);
      else next(connection);
    },
    async beginTransaction(connection) {
      await run(connection, pool.isWriter ? "begin immediate" : "begin");
    },
    async commitTransaction(connection) {
      await run(connection, "commit");
    },
    async rollbackTransaction(connection) {
      await run(connection, "rollback");
    },
    async destroy() {
      await thread?.close();
    },
  };
}

function createConnection(thread: SqliteThread, connection: number): DatabaseConnection {
  return {
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      const result = await thread.execute({
        connection,
        sql,
        parameters: parameters as readonly SqliteValue[],
      });
      return { rows: result.rows as R[], numAffectedRows: BigInt(result.changes) };
    },
    // biome-ignore lint/correctness/useYield: the interface asks for a generator
    async *streamQuery() {
      throw new TypeError("the directory reads whole results");
    },
  };
}
