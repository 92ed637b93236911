// Runs what the README shows, in a copy of what a reader has before them: each `$ npx postern …`
// line of its console blocks, against the server that `npm start` would start. `…` stands for
// anything in a line, and a line of its own for any lines.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../support/source-files.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "../support/workspace.ts";

interface Example {
  readonly command: string;
  /** Lines that the README shows, line ends included. */
  readonly output: string;
}

function examplesOf(markdown: string): Example[] {
  const blocks = [...markdown.matchAll(/```console\n(.*?)```/gs)].map((match) => match[1]!);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const end = part.indexOf("\n");
        return { command: part.slice(0, end), output: part.slice(end + 1) };
      }),
  );
}

/** The pattern that the shown output stands for, column widths aside. */
function pattern(shown: string): RegExp {
  const lines = shown.split(/(?<=\n)/).map((line) => {
    if (line === "…\n") return "(?:.*\\n)*";
    return line
      .trim()
      .split(/\s{2,}/)
      .map((cell) => RegExp.escape(cell).replaceAll("…", ".*"))
      .join("\\s{2,}")
      .concat("\\n");
  });
  return new RegExp(`^${lines.join("")}(?:\\s+.*\\n)*$`);
}

describe("README.md", () => {
  const examples = examplesOf(readFileSync(join(projectRoot, "README.md"), "utf8"));
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
      .toMatch(pattern(output));
  });
});
