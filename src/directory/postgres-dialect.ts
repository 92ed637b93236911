import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from "kysely";
import type { QueryResult as PgResult, Pool, PoolClient } from "pg";
import { PostgresError, UncertainCommit } from "./postgres-error.ts";
import { createStatementNames, type StatementNames } from "./statement-names.ts";
import type { Turns } from "./turns.ts";

/** How connections of one pool are used. */
export interface PostgresPool {
  /**
   * Called when the first query needs it. Its clients must pipeline: what is sent within one turn of
   * the event loop goes as one burst.
   */
  readonly start: () => Pool;
  readonly turns: Turns;
  /** Transactions of others read one snapshot, and write nothing. */
  readonly isWriter: boolean;
}

/**
 * Kysely's PostgreSQL, but that a read costs one round trip instead of one for each statement, and
 * that statements which come again are planned once for each connection.
 */
export function postgresDialect(pool: PostgresPool): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => createDriver(pool),
    createIntrospector: (database) => new PostgresIntrospector(database),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

interface PooledConnection extends DatabaseConnection {
  readonly client: PoolClient;
  /** Runs transaction control. */
  control(sql: string): Promise<PgResult>;
  /** The `begin` that the statements sent with it depend on. */
  beginning: Promise<unknown> | undefined;
  /** Something failed that the next user of the connection must not meet. */
  isBroken: boolean;
}

function createDriver({ start, turns, isWriter }: PostgresPool): Driver {
  const names = createStatementNames();
  let pool: Pool | undefined;
  return {
    async init() {
      pool = start();
    },
    async acquireConnection() {
      await turns.take();
      try {
        return createConnection(await pool!.connect(), names);
      } catch (error) {
        turns.give();
        throw new PostgresError(error);
      }
    },
    async releaseConnection(connection) {
      const { client, isBroken } = connection as PooledConnection;
      client.release(isBroken);
      turns.give();
    },
    beginTransaction: (connection) => begin(connection as PooledConnection, isWriter),
    commitTransaction: (connection) => commit(connection as PooledConnection, isWriter),
    rollbackTransaction: (connection) => rollback(connection as PooledConnection, isWriter),
    async destroy() {
      await pool?.end();
    },
  };
}

/** An operator who trades the last changes for speed does not mean revocations. */
const DURABLE =
  "select set_config('synchronous_commit', 'on', true) " +
  "where current_setting('synchronous_commit') in ('off')";

async function begin(connection: PooledConnection, isWriter: boolean): Promise<void> {
  if (isWriter) {
    await Promise.all([connection.control("begin"), connection.control(DURABLE)]);
    return;
  }
  // Goes in one burst with the first reads, which fail if it does.
  connection.beginning = connection.control("begin isolation level repeatable read read only");
  connection.beginning.catch(() => {});
}

async function commit(connection: PooledConnection, isWriter: boolean): Promise<void> {
  connection.beginning = undefined;
  const ended = connection.control("commit");
  if (!isWriter) {
    // Nobody waits for the end of a read: where it fails, the connection is gone.
    ended.catch(() => {});
    return;
  }
  try {
    const { command } = await ended;
    // PostgreSQL answers so where an earlier statement of the transaction had failed.
    if (command === "ROLLBACK") throw new PostgresError({ code: "40000", message: command });
  } catch (error) {
    throw connection.isBroken ? new UncertainCommit(error) : error;
  }
}

async function rollback(connection: PooledConnection, isWriter: boolean): Promise<void> {
  connection.beginning = undefined;
  const ended = connection.control("rollback");
  // A connection that can't roll back is closed, which rolls back: there is nothing to report.
  if (isWriter) await ended.catch(() => {});
  else ended.catch(() => {});
}

function createConnection(client: PoolClient, names: StatementNames): PooledConnection {
  const connection: PooledConnection = {
    client,
    beginning: undefined,
    isBroken: false,
    control: (sql) => run({ text: sql }),
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      const statement = names.take(client, sql);
      const sent = run({ ...statement.config, values: parameters as unknown[] });
      const [result] = await Promise.all([sent.finally(statement.done), connection.beginning]);
      return {
        rows: result.rows as R[],
        numAffectedRows: BigInt(result.rowCount ?? 0),
      };
    },
    // biome-ignore lint/correctness/useYield: the interface asks for a generator
    async *streamQuery() {
      throw new TypeError("the directory reads whole results");
    },
  };
  async function run(config: {
    readonly text: string;
    readonly name?: string;
    readonly values?: unknown[];
  }): Promise<PgResult> {
    try {
      return await client.query(config);
    } catch (error) {
      const failure = new PostgresError(error);
      connection.isBroken ||= failure.isConnectionLost;
      throw failure;
    }
  }
  return connection;
}
