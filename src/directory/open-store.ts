import { parseDatabaseUrl } from "../base/database-url.ts";
import { optionName } from "../base/option-name.ts";
import { PdpError } from "../decision/error.ts";
import type { DirectoryMetrics } from "./directory-metrics.ts";
import type { DirectoryOptions } from "./options.ts";
import { createPostgresStore } from "./postgres-store.ts";
import { createSqliteStore } from "./sqlite-store.ts";
import type { Store } from "./store.ts";

/** The store that `directory.database` names, still to be prepared. Throws `PdpError`. */
export function createStore(
  options: DirectoryOptions,
  metrics: Pick<DirectoryMetrics, "waiting">,
): Store {
  const url = readUrl(options.database);
  return url.kind === "sqlite"
    ? createSqliteStore(url, options, metrics)
    : createPostgresStore(url, options, metrics);
}

/** The same, prepared. */
export async function openStore(
  options: DirectoryOptions,
  metrics: Pick<DirectoryMetrics, "waiting">,
): Promise<Store> {
  const store = createStore(options, metrics);
  try {
    await store.prepare();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

function readUrl(database: string) {
  try {
    return parseDatabaseUrl(database);
  } catch (error) {
    const message = `${optionName("directory.database")}: ${(error as Error).message}`;
    throw new PdpError("invalid-argument", message, { field: "directory.database" });
  }
}
