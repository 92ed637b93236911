import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Create } from "typebox/value";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type PostgresServer, startPostgres } from "../../test/support/postgres.ts";
import { openTestDirectory, type TestDirectory } from "../../test/support/test-directory.ts";
import { noDeadline } from "../base/deadline.ts";
import { moveDirectory } from "./move-directory.ts";
import { directoryOptionsSchema } from "./options.ts";

let server: PostgresServer;
let folder: string;
beforeAll(async () => {
  server = await startPostgres(["fsync=off"]);
});
afterAll(() => server.dispose());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "postern-move-"));
});
const opened: TestDirectory[] = [];
afterEach(async () => {
  for (const test of opened.splice(0)) await test.dispose();
  await rm(folder, { recursive: true });
});

async function open(database?: string): Promise<TestDirectory> {
  const test = await openTestDirectory(database === undefined ? {} : { database });
  opened.push(test);
  return test;
}

async function quickstart(): Promise<TestDirectory> {
  const test = await open();
  await test.apply(await readFile("examples/quickstart-directory.yaml", "utf8"));
  return test;
}

const move = (from: string, to: string, onProgress: () => void = () => {}) =>
  moveDirectory({ from, to, options: Create(directoryOptionsSchema), onProgress });

const sqlite = (name: string): string => `sqlite:${join(folder, name)}`;

describe("moveDirectory()", () => {
  it("takes everything to PostgreSQL and back, row by row the same", async () => {
    const first = await quickstart();
    const before = await first.directory.generation(noDeadline);
    const url = await server.createDatabase();
    const there = await move(first.database, url);
    expect(there.generation).toBe(before + 1);
    expect(there.to).toMatch(/^postgres:\/\/owner:\*\*\*@/);
    const rowsOf = Object.fromEntries(there.tables.map(({ table, rows }) => [table, rows]));
    expect(rowsOf).toMatchObject({ applications: 2, subjects: 10, permission_assignments: 3 });

    const back = await move(url, sqlite("back.db"));
    expect(back.tables).not.toEqual([]);
    const digests = ({ tables }: typeof there) =>
      tables.filter(({ table }) => table !== "applications");
    expect(digests(back)).toEqual(digests(there));
    expect(back.generation).toBe(there.generation + 1);

    const shown = await first.directory.show();
    for (const database of [url, sqlite("back.db")]) {
      const moved = await open(database);
      expect(await moved.directory.show()).toEqual(shown);
      for (const { id } of shown.subjects ?? []) {
        const [a, b] = await Promise.all(
          [first, moved].map(({ directory }) => directory.resolve("platform", id, noDeadline)),
        );
        expect({ ...b, generation: 0 }).toEqual({ ...a, generation: 0 });
      }
      // New roles get ids of their own.
      const text =
        "applications: { platform: { roles: [{ name: fresh }], groupMappings: [{ group: g }] } }";
      expect((await moved.apply(text)).items).toHaveLength(2);
    }
  });

  it("goes on above the generations of both", async () => {
    const first = await quickstart();
    const url = await server.createDatabase();
    await (await open(url)).dispose();
    opened.pop();
    await server.query(
      `set search_path = postern; truncate applications, roles, group_mappings cascade;
       update state set generation = 70`,
      url,
    );
    expect((await move(first.database, url)).generation).toBe(71);
  });

  it("refuses a target that is not empty, and leaves it as it is", async () => {
    const first = await quickstart();
    const other = await open(await server.createDatabase());
    await other.apply("subjects: [{ id: other }]");
    await expect(move(first.database, other.database)).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringMatching(
        /^postgres:\/\/owner:\*\*\*@\S+ is not empty: its table \w+ has/,
      ),
    });
    expect((await other.directory.show()).subjects).toEqual([{ id: "other", type: "user" }]);
  });

  it("refuses a source where there is none, and makes none", async () => {
    for (const from of [sqlite("none.db"), await server.createDatabase()]) {
      await expect(move(from, sqlite("to.db"))).rejects.toMatchObject({ kind: "not-found" });
      await expect(move(from, sqlite("to.db"))).rejects.toMatchObject({ kind: "not-found" });
    }
  });

  it("refuses to lose a change that is made meanwhile", async () => {
    const first = await quickstart();
    const url = await server.createDatabase();
    const database = new DatabaseSync(first.database.replace("sqlite:", ""));
    const change = (): void => database.exec("update state set generation = generation + 1");
    await expect(move(first.database, url, change)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("was changed while it was copied"),
    });
    database.close();
    expect((await move(first.database, url)).tables).toHaveLength(11);
  });

  it("says which row the target can't have, and writes none of the others", async () => {
    const first = await quickstart();
    const database = new DatabaseSync(first.database.replace("sqlite:", ""));
    database.exec("update role_assignments set reason = 'a' || char(0) || 'b'");
    database.close();
    const url = await server.createDatabase();
    await expect(move(first.database, url)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringMatching(/^A row of role_assignments can't be written: .*0x00/),
    });
    const [row] = await server.query("select count(*)::int as rows from postern.subjects", url);
    expect(row).toEqual({ rows: 0 });
  });
});
