import {
  type ColumnDefinitionBuilder,
  type CreateTableBuilder,
  type Kysely,
  sql,
  type Transaction,
} from "kysely";
import { PdpError } from "../decision/error.ts";
import type { Tables } from "./tables.ts";

type ColumnType = Parameters<CreateTableBuilder<string>["addColumn"]>[1];

/** What migrations of the two kinds of databases differ in. */
export interface SchemaDialect {
  /** Text that is compared byte by byte: names are identities, and lists must not sort by locale. */
  readonly text: ColumnType;
  /** Makes an integer column the table's key, numbered by the database. */
  readonly id: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder;
  /** Whether the first migration was run. */
  hasTables(database: Kysely<Tables>): Promise<boolean>;
  /** Keeps every other process from migrating until the transaction ends. */
  lock(transaction: Transaction<Tables>): Promise<void>;
  /** Lets ids that the database gives begin above those that were written. */
  continueIds(transaction: Transaction<Tables>): Promise<void>;
}

/** SQLite's. */
export const sqliteSchema: SchemaDialect = {
  text: "text",
  id: (column) => column.primaryKey().autoIncrement(),
  async hasTables(database) {
    const query = sql<object>`select 1 from sqlite_master where type = 'table' and name = 'state'`;
    return (await query.execute(database)).rows.length > 0;
  },
  // The transaction has the write lock of the file from its begin.
  lock: async () => {},
  // SQLite begins above the highest by itself.
  continueIds: async () => {},
};

/** The schema (PostgreSQL's word for a name space) that the tables are in. */
export const POSTGRES_SCHEMA = "postern";
/** Any number that nothing else in the database uses for `pg_advisory_xact_lock`. */
const MIGRATION_LOCK = 7_160_447_215;

/** PostgreSQL's. */
export const postgresSchema: SchemaDialect = {
  text: sql`text collate "C"`,
  id: (column) => column.primaryKey().generatedByDefaultAsIdentity(),
  async hasTables(database) {
    const table = `${POSTGRES_SCHEMA}.state`;
    const query = sql<{ found: number }>`select (to_regclass(${table}) is not null)::int as found`;
    return (await query.execute(database)).rows[0]?.found === 1;
  },
  async lock(transaction) {
    await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(transaction);
    const query = sql<{ encoding: string; schema: number }>`
      select current_setting('server_encoding') as encoding,
        (to_regnamespace(${POSTGRES_SCHEMA}) is not null)::int as schema`;
    const [found] = (await query.execute(transaction)).rows;
    if (found?.encoding !== "UTF8") {
      const why = `the database stores ${found?.encoding}; expected one with encoding UTF8`;
      throw new PdpError("unavailable", why);
    }
    // Making it takes a right that is not needed where somebody else has made it.
    if (found.schema === 0) await transaction.schema.createSchema(POSTGRES_SCHEMA).execute();
  },
  async continueIds(transaction) {
    for (const table of ["roles", "group_mappings"]) {
      const next = sql`select coalesce(max(id), 0) + 1 from ${sql.table(table)}`;
      await sql`select setval(pg_get_serial_sequence(${table}, 'id'), (${next}), false)`.execute(
        transaction,
      );
    }
  },
};
