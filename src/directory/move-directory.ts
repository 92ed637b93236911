import { createHash, type Hash } from "node:crypto";
import { type Insertable, sql } from "kysely";
import { maskUrlPassword } from "../base/url-password.ts";
import { PdpError } from "../decision/error.ts";
import { insertAll } from "./chunks.ts";
import { readGeneration, takeGeneration } from "./commit.ts";
import { createStore } from "./open-store.ts";
import type { DirectoryOptions } from "./options.ts";
import type { Store, TableTransaction } from "./store.ts";
import type { Tables } from "./tables.ts";

/** Tables whose rows make a directory, in the order in which they refer to each other, by their keys. */
const KEYS = {
  applications: ["name"],
  subjects: ["id"],
  group_members: ["subject_id", "group_name"],
  roles: ["id"],
  role_permissions: ["role_id", "pattern"],
  role_inheritance: ["role_id", "parent_id"],
  group_mappings: ["id"],
  group_mapping_roles: ["mapping_id", "role_name"],
  group_mapping_permissions: ["mapping_id", "pattern"],
  role_assignments: ["subject_id", "role_id", "source", "scope"],
  permission_assignments: ["subject_id", "application", "pattern", "source", "scope"],
} as const satisfies Partial<Record<keyof Tables, readonly string[]>>;

type MovedTableName = keyof typeof KEYS;

/** What was copied of one table, and read back the same. */
export interface MovedTable {
  readonly table: string;
  readonly rows: number;
  /** SHA-256 of all rows in the order of their keys, hexadecimal. */
  readonly digest: string;
}

/** What a move came to. */
export interface MovedDirectory {
  /** URLs, without passwords. */
  readonly from: string;
  readonly to: string;
  readonly tables: readonly MovedTable[];
  /** Above the generations of both before. */
  readonly generation: number;
}

/** What a move is to do. */
export interface MoveRequest {
  /** Database URLs. */
  readonly from: string;
  readonly to: string;
  /** All but the database. */
  readonly options: DirectoryOptions;
  /** Told every some thousand rows how many of a table are copied. */
  readonly onProgress: (table: string, rows: number) => void;
}

/**
 * Copies a directory into an empty database, in one transaction there, and reads it back before that
 * is committed. Throws `PdpError`; the target is then as it was.
 */
export async function moveDirectory(request: MoveRequest): Promise<MovedDirectory> {
  const { from, to, options, onProgress } = request;
  const source = openFor(from, options);
  const target = openFor(to, options);
  try {
    if (!(await source.isUpToDate())) {
      const what = "has no directory that this program can read; open it with directory show first";
      throw new PdpError("not-found", `${maskUrlPassword(from)} ${what}.`);
    }
    await target.prepare();
    const moved = await source.read((reading) =>
      target.write((writing) => copy({ source, reading, target, writing, onProgress })),
    );
    return { from: maskUrlPassword(from), to: maskUrlPassword(to), ...moved };
  } catch (error) {
    if (!(error instanceof NotEmpty)) throw error;
    const message = `${maskUrlPassword(to)} is not empty: ${error.message}. Name another database.`;
    throw new PdpError("invalid-argument", message);
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}

/** Each end waits while the other works: for as long as reading a whole table takes. */
const STATEMENT_TIMEOUT_MS = 600_000;
/** One reads, another looks whether what it reads has changed. */
const CONNECTIONS = 2;

function openFor(database: string, options: DirectoryOptions): Store {
  const postgres = {
    ...options.postgres,
    connections: CONNECTIONS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  };
  return createStore({ ...options, database, postgres }, { waiting: () => {} });
}

class NotEmpty extends Error {}

interface Copying {
  readonly source: Store;
  readonly reading: TableTransaction;
  readonly target: Store;
  readonly writing: TableTransaction;
  readonly onProgress: MoveRequest["onProgress"];
}

async function copy(copying: Copying): Promise<Pick<MovedDirectory, "tables" | "generation">> {
  const { source, reading, target, writing } = copying;
  const names = Object.keys(KEYS) as MovedTableName[];
  for (const table of names) {
    const [row] = await pageOf(writing, table, { after: undefined, rows: 1 });
    if (row !== undefined) throw new NotEmpty(`its table ${table} has rows`);
  }
  const tables: MovedTable[] = [];
  for (const table of names) tables.push(await copyTable(copying, table));
  await target.dialect.continueIds(writing);
  const copied = await readGeneration(reading);
  // A change that was made since would be lost, a revocation perhaps.
  if ((await source.read(readGeneration)) !== copied) {
    const message =
      "The directory was changed while it was copied. Stop what changes it; move again.";
    throw new PdpError("unavailable", message);
  }
  const before = Math.max(copied, await readGeneration(writing));
  await writing.updateTable("state").set({ generation: before }).execute();
  const applications = await writing.selectFrom("applications").select("name").execute();
  const models = applications.map(({ name }) => name);
  return { tables, generation: await takeGeneration(writing, { subjects: "all", models }) };
}

async function copyTable(copying: Copying, table: MovedTableName): Promise<MovedTable> {
  const { reading, writing, onProgress } = copying;
  let rows = 0;
  const digest = createHash("sha256");
  for await (const page of pagesOf(reading, table)) {
    await insertPage(writing, table, page);
    addRows(digest, page);
    rows += page.length;
    onProgress(table, rows);
  }
  const moved = { table, rows, digest: digest.digest("hex") };
  const found = await digestOf(writing, table);
  if (found.rows !== moved.rows || found.digest !== moved.digest) {
    const message = `Of ${table} ${rows} rows were copied, and others came back; nothing is moved.`;
    throw new PdpError("internal", message);
  }
  return moved;
}

type Row = Readonly<Record<string, string | number | null>>;

async function insertPage(
  writing: TableTransaction,
  table: MovedTableName,
  page: readonly Row[],
): Promise<void> {
  try {
    // Rows of the same table of the same schema.
    await insertAll(writing, table, page as unknown as Insertable<Tables[MovedTableName]>[]);
  } catch (error) {
    const cause = error instanceof PdpError ? error.cause : error;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PdpError("unavailable", `A row of ${table} can't be written: ${why}.`, { cause });
  }
}

async function digestOf(
  transaction: TableTransaction,
  table: MovedTableName,
): Promise<Omit<MovedTable, "table">> {
  let rows = 0;
  const digest = createHash("sha256");
  for await (const page of pagesOf(transaction, table)) {
    addRows(digest, page);
    rows += page.length;
  }
  return { rows, digest: digest.digest("hex") };
}

function addRows(digest: Hash, page: readonly Row[]): void {
  for (const row of page) {
    const members = Object.keys(row).sort();
    digest.update(`${JSON.stringify(members.map((name) => [name, row[name]]))}\n`);
  }
}

const PAGE_ROWS = 2_000;

/** All rows in the order of their keys, which both kinds of databases compare byte by byte. */
async function* pagesOf(
  transaction: TableTransaction,
  table: MovedTableName,
): AsyncIterable<readonly Row[]> {
  let after: Row | undefined;
  for (;;) {
    const page = await pageOf(transaction, table, { after, rows: PAGE_ROWS });
    if (page.length > 0) yield page;
    if (page.length < PAGE_ROWS) return;
    after = page.at(-1);
  }
}

async function pageOf(
  transaction: TableTransaction,
  table: MovedTableName,
  { after, rows }: { readonly after: Row | undefined; readonly rows: number },
): Promise<readonly Row[]> {
  const keys = KEYS[table];
  const columns = sql.join(keys.map((key) => sql.ref(key)));
  const beyond =
    after === undefined
      ? sql``
      : sql`where (${columns}) > (${sql.join(keys.map((key) => after[key]))})`;
  const query = sql<Row>`
    select * from ${sql.table(table)} ${beyond} order by ${columns} limit ${sql.lit(rows)}`;
  return (await query.execute(transaction)).rows;
}
