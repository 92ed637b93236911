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
  const send = (post: (id: number) => void): Promise<SqliteResult> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) {
        reject(ended);
        return;
      }
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      post(id);
    });

  worker.on("message", (reply: SqliteReply) => {
    const waiter = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ("error" in reply) waiter?.reject(unavailable(data.file, reply.error));
    else waiter?.resolve(reply);
  });
  worker.on("error", (error: Error) => end(unavailable(data.file, error.message)));
  worker.on("exit", () => end(unavailable(data.file, "the directory is closed")));

  const close = async (): Promise<void> => {
    end(unavailable(data.file, "the directory is closed"));
    await worker.terminate();
  };
  try {
    // The worker answers 0 by itself, once its connections are open.
    await send(() => {});
  } catch (error) {
    await close();
    throw error;
  }
  return {
    execute: (statement) => send((id) => worker.postMessage({ id, ...statement })),
    close,
  };
}

function unavailable(file: string, why: string): PdpError {
  // Callers need no paths and no SQL; operators get both from the cause.
  return new PdpError("unavailable", "the directory can't be read or written", {
    cause: new Error(`${file}: ${why}`),
  });
}
