import type { Insertable } from "kysely";
import type { TableTransaction } from "./store.ts";
import type { Tables } from "./tables.ts";

/** Rows of a statement: few round trips, and fewer parameters than any database's limit. */
const CHUNK_ROWS = 500;

/** Inserts rows, some hundred at a time. */
export async function insertAll<T extends keyof Tables>(
  transaction: TableTransaction,
  table: T,
  rows: readonly Insertable<Tables[T]>[],
): Promise<void> {
  for (const chunk of chunks(rows)) {
    await transaction.insertInto(table).values(chunk).execute();
  }
}

/** `items` in runs that fit into one statement. */
export function chunks<T>(items: readonly T[]): T[][] {
  const runs: T[][] = [];
  for (let start = 0; start < items.length; start += CHUNK_ROWS) {
    runs.push(items.slice(start, start + CHUNK_ROWS));
  }
  return runs;
}
