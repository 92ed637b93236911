import { randomUUID } from "node:crypto";
import type { Transaction } from "kysely";
import type { Tables } from "./tables.ts";

/** Gives each directory an identity, by which what others keep of it can't be taken for another's. */
export async function addIdentity(transaction: Transaction<Tables>): Promise<void> {
  await transaction.schema
    .alterTable("state")
    .addColumn("directory_id", "text", (column) => column.notNull().defaultTo(""))
    .execute();
  await transaction.updateTable("state").set({ directory_id: randomUUID() }).execute();
}
