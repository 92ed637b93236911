import type { Kysely, Transaction } from "kysely";
import { PdpError } from "../decision/error.ts";
import { createTables } from "./migration-1.ts";
import type { Tables } from "./tables.ts";

type Migration = (transaction: Transaction<Tables>) => Promise<void>;

/** In order, forward only: a released one never changes. Version n is what the first n make. */
const MIGRATIONS: readonly Migration[] = [createTables];

/** The schema version that this program works with. */
const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the schema up to date, in one transaction. Throws `PdpError` `unavailable` for a schema
 * newer than the program: what it would not understand it must not answer from.
 */
export async function migrate(database: Kysely<Tables>): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const version = await schemaVersion(transaction);
    refuseNewer(version);
    for (const migration of MIGRATIONS.slice(version)) await migration(transaction);
    if (version === SCHEMA_VERSION) return;
    await transaction.updateTable("state").set({ schema_version: SCHEMA_VERSION }).execute();
  });
}

/** Whether `migrate` has nothing to do. Throws as it does. */
export async function isUpToDate(database: Kysely<Tables>): Promise<boolean> {
  const version = await schemaVersion(database);
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

async function schemaVersion(database: Kysely<Tables>): Promise<number> {
  const tables = await database.introspection.getTables();
  if (!tables.some(({ name }) => name === "state")) return 0;
  const state = await database.selectFrom("state").select("schema_version").executeTakeFirst();
  return state?.schema_version ?? 0;
}
