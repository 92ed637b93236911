import { existsSync } from "node:fs";
import { chmod, mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Kysely } from "kysely";
import { optionName } from "../base/option-name.ts";
import { PdpError } from "../decision/error.ts";
import type { DirectoryMetrics } from "./directory-metrics.ts";
import { isUpToDate, migrate } from "./migrations.ts";
import type { DirectoryOptions } from "./options.ts";
import { sqliteSchema } from "./schema-dialect.ts";
import { sqliteDialect } from "./sqlite-dialect.ts";
import { SqliteError, startSqliteThread } from "./sqlite-thread.ts";
import { rolledBack, type Store, WAITING_WRITES_MAX } from "./store.ts";
import type { Tables } from "./tables.ts";

/**
 * They share a thread, and reads that overlap share its messages: with 16 in flight two connections
 * give 3,300 resolves a second, eight 4,800, sixteen no more (measured).
 */
const READ_CONNECTIONS = 8;

/** A directory in a file of this machine. */
export function createSqliteStore(
  database: { readonly file: string },
  options: DirectoryOptions,
  metrics: Pick<DirectoryMetrics, "waiting">,
): Store {
  const file = resolve(database.file);
  const threadData = { file, busyTimeoutMs: options.busyTimeoutMs };
  const writer = new Kysely<Tables>({
    dialect: sqliteDialect({
      start: () => startSqliteThread({ ...threadData, connections: 1, isReader: false }),
      connections: 1,
      isWriter: true,
      waitingMax: WAITING_WRITES_MAX,
      onWaiting: (count) => metrics.waiting("write", count),
    }),
  });
  const reader = new Kysely<Tables>({
    dialect: sqliteDialect({
      start: () =>
        startSqliteThread({ ...threadData, connections: READ_CONNECTIONS, isReader: true }),
      connections: READ_CONNECTIONS,
      isWriter: false,
      waitingMax: options.waitingReadsMax,
      onWaiting: (count) => metrics.waiting("read", count),
    }),
  });
  let isClosed = false;
  const whileOpen = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isClosed) throw new PdpError("unavailable", "the directory is closed");
    return work();
  };
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw error instanceof SqliteError ? cannotOpen(file, error.reason, error) : error;
    }
  };
  return {
    dialect: sqliteSchema,
    async prepare() {
      await ensureFile(file);
      await explained(async () => {
        // The writer's thread starts only where there is something to write.
        if (!(await isUpToDate(reader, sqliteSchema))) await migrate(writer, sqliteSchema);
      });
    },
    async isUpToDate() {
      return existsSync(file) && (await explained(() => isUpToDate(reader, sqliteSchema)));
    },
    read: (work) => whileOpen(() => reader.transaction().execute(work)),
    write: (work) => whileOpen(() => writer.transaction().execute(work)),
    tryOut: (work) => whileOpen(() => rolledBack(() => writer.startTransaction().execute(), work)),
    async close() {
      isClosed = true;
      await Promise.all([reader.destroy(), writer.destroy()]);
    },
  };
}

/** The file holds who may do what: readable by its owner alone from the moment it exists. */
async function ensureFile(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(file, "a", 0o600);
    await handle.close();
    await chmod(file, 0o600);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw cannotOpen(file, code, error);
  }
}

function cannotOpen(file: string, why: string, cause: unknown): PdpError {
  const remedy = `Mend that, or choose another file in ${optionName("directory.database")}.`;
  const message = `The directory ${file} can't be opened: ${why}. ${remedy}`;
  return new PdpError("unavailable", message, { cause });
}
