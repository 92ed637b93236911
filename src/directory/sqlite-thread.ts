import { Worker } from "node:worker_threads";
import { PdpError } from "../decision/error.ts";
import type {
  SqliteCommand,
  SqliteReply,
  SqliteValue,
  SqliteWorkerData,
} from "./sqlite-protocol.ts";

/** What a statement gave. */
export interface SqliteResult {
  readonly rows: readonly Record<string, SqliteValue>[];
  readonly changes: number;
}

/** Connections of one database in a thread of their own. */
export interface SqliteThread {
  /** Statements of a connection run in the order given. Throws `PdpError` `unavailable`. */
  execute(statement: Omit<SqliteCommand, "id">): Promise<SqliteResult>;
  /** Ends the thread; statements in flight fail. */
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (result: SqliteResult) => void;
  readonly reject: (error: PdpError) => void;
}

/** Starts the thread and opens its connections. Throws `PdpError` `unavailable`. */
export async function startSqliteThread(data: SqliteWorkerData): Promise<SqliteThread> {
  const worker = new Worker(new URL("./sqlite-worker.ts", import.meta.url), {
    workerData: data,
    name: data.isReader ? "directory-reader" : "directory-writer",
  });
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  let ended: PdpError | undefined;

  const end = (error: PdpError): void => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  // A message between threads costs some 60 µs on a busy machine, ten times what a statement does:
  // what is asked within one turn of the event loop goes in one.
  let batch: SqliteCommand[] = [];
  const flush = (): void => {
    worker.postMessage(batch);
    batch = [];
  };
  const answerTo = (id: number): Promise<SqliteResult> =>
    new Promise((resolve, reject) => {
      if (ended === undefined) waiting.set(id, { resolve, reject });
      else reject(ended);
    });

  worker.on("message", (replies: readonly SqliteReply[]) => {
    for (const reply of replies) {
      const waiter = waiting.get(reply.id);
      waiting.delete(reply.id);
      if ("error" in reply) waiter?.reject(new SqliteError(data.file, reply.error));
      else waiter?.resolve(reply);
    }
  });
  worker.on("error", (error: Error) => end(new SqliteError(data.file, error.message)));
  worker.on("exit", () => end(new SqliteError(data.file, "the directory is closed")));

  const close = async (): Promise<void> => {
    end(new SqliteError(data.file, "the directory is closed"));
    await worker.terminate();
  };
  try {
    // The worker answers 0 by itself, once its connections are open.
    await answerTo(nextId++);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    execute(statement) {
      const id = nextId++;
      if (batch.length === 0) process.nextTick(flush);
      batch.push({ id, ...statement });
      return answerTo(id);
    },
    close,
  };
}

/** What SQLite says that an operator can do something about, and that reveals nothing. */
const TELLING = /locked|readonly|full|disk I\/O error|not a database|malformed/;

/** The database does not do what it is asked; callers learn why as far as it reveals nothing. */
export class SqliteError extends PdpError {
  /** In SQLite's words, for operators. */
  readonly reason: string;

  constructor(file: string, reason: string) {
    const shown = TELLING.test(reason) ? ` (${reason})` : "";
    super("unavailable", `the directory can't be read or written${shown}`, {
      cause: new Error(`${file}: ${reason}`),
    });
    this.reason = reason;
  }
}
