// Each example of examples/envoy/ that can run on one machine: the commands of its page, on free ports,
// and then every `curl` that it shows, with the answer that it shows.
import { globSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type EnvoyExample,
  examplePage,
  openExample,
  validate,
} from "../../support/envoy-example.ts";
import {
  type ConsoleExample,
  type MarkdownSection,
  outputPattern,
} from "../../support/readme-examples.ts";
import { projectRoot } from "../../support/source-files.ts";

const folder = join(projectRoot, "examples/envoy");
const cases = ["standalone", "routes", "body", "jwt", "rbac", "unix-socket"];

/** Runs what a page shows; gives what was printed otherwise. */
async function asShown(example: EnvoyExample, shown: readonly ConsoleExample[]): Promise<void> {
  for (const { command, output } of shown) {
    expect(await example.run(command), command).toMatch(outputPattern(output));
  }
}

describe("examples/envoy", () => {
  const bootstraps = globSync("**/envoy.yaml", { cwd: folder }).sort();

  it("has a bootstrap, a page and a test for every example", () => {
    const folders = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== "policy")
      .map(({ name }) => name);
    const known = [...cases, "failure"].sort();
    expect(folders.sort()).toEqual(known);
    expect(bootstraps).toEqual(known.map((name) => `${name}/envoy.yaml`));
  });

  it.each(bootstraps)("is taken by Envoy: %s", async (name) => {
    await expect(validate(join("examples/envoy", name), projectRoot)).resolves.toMatch(/ OK$/);
  });
});

describe.each(cases)("examples/envoy/%s", (name) => {
  const shown = examplePage(name).flatMap(({ examples }) => examples);
  let example: EnvoyExample;

  beforeAll(async () => {
    example = await openExample(name);
  });
  afterAll(() => example?.close());

  it("shows answers", () => {
    expect(shown.length).toBeGreaterThan(2);
  });

  it.each(shown)("$command", async (one) => {
    await asShown(example, [one]);
  });

  if (name === "standalone") {
    it("logs by which decision each request was answered, and why", async () => {
      await example.run("curl -i localhost:10000/logged");
      const line = /\{"decision_id":"[0-9a-f-]{36}",.*"reason":"deny:policy",.*"GET \/logged"/;
      await expect.poll(() => example.envoy.output()).toMatch(line);
    });
  }
});

describe("examples/envoy/failure", () => {
  const sections = examplePage("failure");
  const section = (title: string): MarkdownSection["examples"] => {
    const found = sections.find((candidate) => candidate.title === title)?.examples ?? [];
    expect(found.length, title).toBeGreaterThan(1);
    return found;
  };
  let example: EnvoyExample;

  beforeAll(async () => {
    example = await openExample("failure");
  });
  afterAll(() => example?.close());

  it("answers while both run", async () => {
    await asShown(example, section("Both run"));
  });

  it("answers while one is gone, whichever is asked", async () => {
    const [first] = example.servers;
    first!.process.kill("SIGKILL");
    for (let count = 0; count < 4; count++) {
      await asShown(example, section("One is stopped"));
    }
  });

  it("lets nobody through when both are gone", async () => {
    await example.servers[1]!.stop();
    await asShown(example, section("Both are stopped"));
  });

  it("lets everybody through with `failure_mode_allow`, and tells the service so", async () => {
    await example.restartEnvoy((text) =>
      text.replace(
        /^( *)failure_mode_allow: false$/m,
        "$1failure_mode_allow: true\n$1failure_mode_allow_header_add: true",
      ),
    );
    await asShown(example, section("With `failure_mode_allow: true`"));
  });
});
