// Runs what the README shows, in a copy of what a reader has before them: each `$ npx postern …`
// line of its console blocks, against the server that `npm start` would start. `…` stands for
// anything in a line, and a line of its own for any lines.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { consoleExamples, outputPattern } from "../support/readme-examples.ts";
import { projectRoot } from "../support/source-files.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "../support/workspace.ts";

describe("README.md", () => {
  const examples = consoleExamples(readFileSync(join(projectRoot, "README.md"), "utf8"));
  let workspace: Workspace;
  let server: ServerProcess;

  beforeAll(async () => {
    workspace = createWorkspace();
    server = await workspace.serve();
  });
  afterAll(async () => {
    await server.stop();
    workspace.remove();
  });

  it("shows commands", () => {
    expect(examples.length).toBeGreaterThan(5);
  });

  it.each(examples)("$command", async ({ command, output }) => {
    const [npx, postern, ...args] = command.split(" ");
    expect([npx, postern]).toEqual(["npx", "postern"]);
    // What was dropped into the folder is in force after a poll and a half.
    await expect
      .poll(async () => (await workspace.postern(...args)).stdout, { timeout: 15_000 })
      .toMatch(outputPattern(output));
  });
});
