/** What SQLite stores, and what goes between the serving thread and the database's. */
export type SqliteValue = null | number | bigint | string | Uint8Array;

/** What the worker is started with. */
export interface SqliteWorkerData {
  readonly file: string;
  readonly busyTimeoutMs: number;
  readonly connections: number;
  /** Connections that may only read. */
  readonly isReader: boolean;
}

/** One statement for one connection. They travel in arrays, and so do the answers. */
export interface SqliteCommand {
  readonly id: number;
  readonly connection: number;
  readonly sql: string;
  readonly parameters: readonly SqliteValue[];
}

/** The answer to the command of the same id; 0 answers the start itself. */
export type SqliteReply =
  | {
      readonly id: number;
      readonly rows: readonly Record<string, SqliteValue>[];
      readonly changes: number;
    }
  | { readonly id: number; readonly error: string };
