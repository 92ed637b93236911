import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentHealth } from "../../src/base/health.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import type { Config } from "../../src/config/config.ts";
import { openDirectory } from "../../src/directory/open-directory.ts";
import { runPostern } from "../support/run-postern.ts";

const open = (config: Config) =>
  openDirectory({
    options: config.directory,
    clock: systemClock,
    logger: silentLogger,
    meter: silentMeter,
    health: silentHealth,
    unknownSubjects: () => "deny",
  });

describe("postern directory, on a database of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), "postern-commands-"));
  const directory = (...args: string[]) =>
    runPostern(["directory", ...args], {
      openDirectory: open,
      env: { POSTERN_DIRECTORY_DATABASE: `sqlite:${join(folder, "directory.db")}` },
    });
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it("changes nothing where the file has a mistake, and says where", async () => {
    const path = file("bad.yaml", "subjects:\n  - { id: a }\n  - { id: b, grups: [x] }\n");
    const run = await directory("apply", path);
    expect(run).toMatchObject({ status: 2, stdout: "" });
    expect(run.stderr).toMatch(/bad\.yaml:3:\d+: .*grups.*groups/);
    expect((await directory("show")).stdout).not.toContain("id: a");
  });

  it("tries, applies, shows, and finds nothing to change the second time", async () => {
    const path = file("good.yaml", "subjects:\n  - { id: user-9, groups: [x] }\n");
    expect((await directory("apply", "--dry-run", path)).stdout).toMatch(/Dry run: 1 added/);
    expect((await directory("show")).stdout).not.toContain("user-9");
    expect((await directory("apply", path)).stdout).toMatch(/\+ subject user-9/);
    const shown = (await directory("show")).stdout;
    expect(shown).toContain("- id: user-9\n");
    expect((await directory("apply", file("shown.yaml", shown))).stdout).toMatch(
      /^Nothing to change/m,
    );
  });
});

describe("postern bundle build", () => {
  const folder = mkdtempSync(join(tmpdir(), "postern-commands-"));

  it("passes on what opa says of wrong Rego, with status 2, and writes nothing", async () => {
    writeFileSync(join(folder, "policy.rego"), "package broken\n\nallow if {\n");
    const output = join(folder, "broken.tar.gz");
    const run = await runPostern(["bundle", "build", folder, "-o", output]);
    expect(run).toMatchObject({ status: 2, stdout: "" });
    expect(run.stderr).toContain("policy.rego:");
    expect(existsSync(output)).toBe(false);
  });

  it("refuses a folder that has no Rego", async () => {
    const run = await runPostern(["bundle", "build", "docs", "-o", join(folder, "x.tar.gz")]);
    expect(run).toMatchObject({ status: 2, stdout: "" });
    expect(run.stderr).toContain("no Rego module");
  });

  it("builds the example and says what it built", async () => {
    const output = join(folder, "billing.tar.gz");
    const args = ["bundle", "build", "examples/billing", "-o", output, "--revision", "r1"];
    expect(await runPostern(args)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/billing\.tar\.gz {2}billing\/\S+ {2}revision r1 {2}\d+ bytes/),
    });
    expect(readFileSync(output).subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
  });
});
