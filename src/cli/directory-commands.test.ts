import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runPostern } from "../../test/support/run-postern.ts";
import { openTestDirectory } from "../../test/support/test-directory.ts";

describe("postern directory move", () => {
  const folder = mkdtempSync(join(tmpdir(), "postern-move-"));
  const url = (name: string): string => `sqlite:${join(folder, name)}`;

  it("copies into the configured database, and says what came of it", async () => {
    const test = await openTestDirectory();
    await test.apply("subjects: [{ id: a }, { id: b }]");
    const run = await runPostern(["directory", "move", "--from", test.database], {
      env: { POSTERN_DIRECTORY_DATABASE: url("to.db") },
    });
    expect(run).toMatchObject({ status: 0, stderr: "" });
    expect(run.stdout).toMatch(/^subjects +2 rows {2}sha256 [0-9a-f]{16}…$/m);
    expect(run.stdout).toContain(`from ${test.database} to ${url("to.db")}, and read them back`);

    const again = ["directory", "move", "--from", test.database, "--to", url("two.db"), "--json"];
    expect(JSON.parse((await runPostern(again)).stdout)).toMatchObject({
      from: test.database,
      to: url("two.db"),
      generation: 3,
      tables: expect.arrayContaining([
        { table: "subjects", rows: 2, digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
      ]),
    });
    await test.dispose();
  });

  it.each([
    [["--from", "sqlite:/no/such.db"], /^sqlite:\/no\/such\.db has no directory that this program/],
    [
      ["--from", "mysql://u:secret@h/d"],
      /^postern: --from: the URL is no database URL; expected sqlite:<file> or postgres/,
    ],
    [["--to", "sqlite:x"], /required option '--from <url>' not specified/],
  ])("refuses %j in one line with status 2", async (args, text) => {
    const run = await runPostern(["directory", "move", ...args], {
      env: { POSTERN_DIRECTORY_DATABASE: url("refused.db") },
    });
    expect(run).toMatchObject({ status: 2, stdout: "" });
    expect(run.stderr).toMatch(text);
    expect(run.stderr).not.toContain("secret");
  });
});
