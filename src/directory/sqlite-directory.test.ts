import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { openTestDirectory, type TestDirectory } from "../../test/support/test-directory.ts";
import { noDeadline } from "../base/deadline.ts";
import { applyContract } from "./apply.contract.ts";
import { directoryContract } from "./directory.contract.ts";

const fileOf = ({ folder }: TestDirectory): string => join(folder, "directory.db");

describe("a directory on SQLite", () => {
  directoryContract({
    open: openTestDirectory,
    async alter(test, sql) {
      const database = new DatabaseSync(fileOf(test));
      database.exec(sql);
      database.close();
    },
  });
  applyContract(openTestDirectory);
});

describe("openDirectory() on SQLite", () => {
  const opened: TestDirectory[] = [];
  afterEach(async () => {
    for (const test of opened.splice(0).reverse()) await test.dispose();
  });
  async function open(...settings: Parameters<typeof openTestDirectory>): Promise<TestDirectory> {
    const test = await openTestDirectory(...settings);
    opened.push(test);
    return test;
  }

  it("refuses a file that is no database, and one that can't be made", async () => {
    const test = await open();
    const file = join(test.folder, "not.db");
    await writeFile(file, "this is not a database, whatever its name says".repeat(100));
    const option = "choose another file in directory.database (POSTERN_DIRECTORY_DATABASE).";
    await expect(test.openAnother({ database: `sqlite:${file}` })).rejects.toMatchObject({
      kind: "unavailable",
      message: `The directory ${file} can't be opened: file is not a database. Mend that, or ${option}`,
    });
    await expect(
      test.openAnother({ database: `sqlite:${fileOf(test)}/x.db` }),
    ).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringMatching(/x\.db can't be opened: E[A-Z]+\. .*directory\.database/),
    });
  });

  it("makes a database that only its owner can read", async () => {
    const test = await open();
    expect((await stat(fileOf(test))).mode & 0o777).toBe(0o600);
  });

  it("says that another process holds the write lock, and goes on reading", async () => {
    const test = await open({ busyTimeoutMs: 0 });
    await test.apply("subjects: [{ id: a }]");
    const database = new DatabaseSync(fileOf(test));
    database.exec("begin immediate");
    await expect(test.apply("subjects: [{ id: b }]")).rejects.toMatchObject({
      kind: "unavailable",
      message: "the directory can't be read or written (database is locked)",
    });
    expect(await test.directory.resolve("platform", "a", noDeadline)).toMatchObject({
      status: "active",
    });
    database.exec("rollback");
    database.close();
    expect((await test.apply("subjects: [{ id: b }]")).items).toHaveLength(1);
  });
});
