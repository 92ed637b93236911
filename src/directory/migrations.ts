import type { Kysely, Transaction } from "kysely";
import { PdpError } from "../decision/error.ts";
import { createTables } from "./migration-1.ts";
import { addIdentity } from "./migration-2.ts";
import { addChangeIds } from "./migration-3.ts";
import type { SchemaDialect } from "./schema-dialect.ts";
import type { Tables } from "./tables.ts";

type Migration = (transaction: Transaction<Tables>, dialect: SchemaDialect) => Promise<void>;

/**
 * In order, forward only: a released one never changes. Version n is what the first n make. Sidecars
 * that run an older program go on reading and writing while and after one runs: a migration adds
 * tables, columns with a default, and indexes, and neither renames nor removes what is there.
 */
const MIGRATIONS: readonly Migration[] = [createTables, addIdentity, addChangeIds];

/** The schema version that this program works with. */
const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the schema up to date, in one transaction. Throws `PdpError` `unavailable` for a schema
 * newer than the program: what it would not understand it must not answer from.
 */
export async function migrate(database: Kysely<Tables>, dialect: SchemaDialect): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await dialect.lock(transaction);
    const version = await schemaVersion(transaction, dialect);
    refuseNewer(version);
    for (const migration of MIGRATIONS.slice(version)) await migration(transaction, dialect);
    if (version === SCHEMA_VERSION) return;
    await transaction.updateTable("state").set({ schema_version: SCHEMA_VERSION }).execute();
  });
}

/** Whether `migrate` has nothing to do. Throws as it does. */
export async function isUpToDate(
  database: Kysely<Tables>,
  dialect: SchemaDialect,
): Promise<boolean> {
  const version = await schemaVersion(database, dialect);
  refuseNewer(version);
  return version === SCHEMA_VERSION;
}

function refuseNewer(version: number): void {
  if (version <= SCHEMA_VERSION) return;
  throw new PdpError(
    "unavailable",
    `the directory has schema version ${version}, newer than the ${SCHEMA_VERSION} this program ` +
      "knows; it is left as it is: run the program that wrote it, or a later one",
  );
}

async function schemaVersion(database: Kysely<Tables>, dialect: SchemaDialect): Promise<number> {
  if (!(await dialect.hasTables(database))) return 0;
  const state = await database.selectFrom("state").select("schema_version").executeTakeFirst();
  return state?.schema_version ?? 0;
}
