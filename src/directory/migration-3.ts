import type { Transaction } from "kysely";
import type { Tables } from "./tables.ts";

/** Gives each change an id, by which one of a copy that was put back differs from the one it replaces. */
export async function addChangeIds(transaction: Transaction<Tables>): Promise<void> {
  await transaction.schema
    .alterTable("changes")
    .addColumn("id", "text", (column) => column.notNull().defaultTo(""))
    .execute();
}
