import type { Transaction } from "kysely";
import type { SchemaDialect } from "./schema-dialect.ts";
import type { Tables } from "./tables.ts";

/** Either end of a transaction on the directory's tables. */
export type TableTransaction = Transaction<Tables>;

/** The database. Work in either transaction sees one snapshot. */
export interface Store {
  /**
   * Makes the database where there is none, and brings its schema up to date; before anything else.
   * Throws `PdpError` `unavailable` with what an operator can do about it.
   */
  prepare(): Promise<void>;
  /** Whether there is a directory that `prepare` would leave as it is. Makes nothing. */
  isUpToDate(): Promise<boolean>;
  /** What is peculiar to its kind of database. */
  readonly dialect: SchemaDialect;
  read<T>(work: (transaction: TableTransaction) => Promise<T>): Promise<T>;
  /** One at a time, across processes; all or nothing. */
  write<T>(work: (transaction: TableTransaction) => Promise<T>): Promise<T>;
  /** As `write`, but whatever the work did is taken back. */
  tryOut<T>(work: (transaction: TableTransaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Writes are few and come from operators. */
export const WAITING_WRITES_MAX = 100;

/** Does the work in a transaction that is rolled back whatever comes of it. */
export async function rolledBack<T>(
  begin: () => Promise<RollbackTransaction>,
  work: (transaction: TableTransaction) => Promise<T>,
): Promise<T> {
  const transaction = await begin();
  try {
    return await work(transaction);
  } finally {
    await transaction.rollback().execute();
  }
}

/** A transaction that is ended by hand. */
type RollbackTransaction = TableTransaction & {
  rollback(): { execute(): Promise<unknown> };
};
