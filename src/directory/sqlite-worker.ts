/** The thread that waits for the disk, so that the serving thread never does. */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { SqliteCommand, SqliteReply, SqliteWorkerData } from "./sqlite-protocol.ts";

const STATEMENTS_MAX = 200;

type Execute = (command: SqliteCommand) => SqliteReply;

function openConnection(data: SqliteWorkerData): Execute {
  const database = new DatabaseSync(data.file, {
    timeout: data.busyTimeoutMs,
    enableForeignKeyConstraints: true,
  });
  if (data.isReader) {
    database.exec("pragma query_only = on");
  } else {
    // WAL: readers never wait for the writer. FULL: an acknowledged change survives power loss.
    database.exec("pragma journal_mode = wal; pragma synchronous = full");
  }
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      if (statements.size >= STATEMENTS_MAX) statements.clear();
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  return ({ id, sql, parameters }) => {
    const statement = prepare(sql);
    if (statement.columns().length > 0) {
      return { id, rows: statement.all(...parameters), changes: 0 };
    }
    return { id, rows: [], changes: Number(statement.run(...parameters).changes) };
  };
}

function failure(id: number, error: unknown): SqliteReply {
  return { id, error: error instanceof Error ? error.message : String(error) };
}

function serve(data: SqliteWorkerData): void {
  const port = parentPort!;
  const post = (replies: readonly SqliteReply[]): void => port.postMessage(replies);
  let connections: readonly Execute[];
  try {
    connections = Array.from({ length: data.connections }, () => openConnection(data));
  } catch (error) {
    post([failure(0, error)]);
    return;
  }
  port.on("message", (commands: readonly SqliteCommand[]) => {
    post(
      commands.map((command) => {
        try {
          return connections[command.connection]!(command);
        } catch (error) {
          return failure(command.id, error);
        }
      }),
    );
  });
  post([{ id: 0, rows: [], changes: 0 }]);
}

serve(workerData as SqliteWorkerData);
