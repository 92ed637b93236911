import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CliRun, runPostern } from "../../test/support/run-postern.ts";
import { PdpError } from "../decision/error.ts";
import type { Directory } from "../directory/directory.ts";

function file(name: string, text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "postern-cli-")), name);
  writeFileSync(path, text);
  return path;
}

function expectFailure(run: CliRun, text: string | RegExp): void {
  expect(run.stdout).toBe("");
  expect(run.stderr).toMatch(text);
  expect(run.stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(run.status).toBe(2);
}

describe("usage", () => {
  it.each([
    [
      ["check", "user-123", "agent:execute", "--jsn"],
      /unknown option '--jsn' \(Did you mean --json\?\)/,
    ],
    [["chek"], /unknown command 'chek' \(Did you mean check\?\)/],
    [["check", "user-123"], /missing required argument 'permission'/],
    [["check", "a", "b:c", "d"], /too many arguments/],
    [["check", "a", "agent"], /"agent" is not valid; expected <resource>:<action>/],
    [["check", "a", "agent:b:c"], /"agent:b:c" is not valid; expected <resource>:<action>/],
    [
      ["check", "a", "b:c", "--subject-type", "x"],
      /'--subject-type <type>' argument 'x' is invalid/,
    ],
    [
      ["check", "a", "b:c", "--property", "x"],
      /'--property <name=value>'.*expected <name>=<value>/,
    ],
    [["check", "a", "b:c", "--context", "x=1", "--context", "x=2"], /"x" is given twice/],
    [
      ["check", "a", "b:c", "--context", "ip=1", "--ip", "::1"],
      /--ip and --context ip=… say the same/,
    ],
    [
      ["check", "a", "b:c", "--ip", "10.1.2.3:80"],
      /'--ip <address>' argument '10\.1\.2\.3:80' is invalid\. expected an IPv4 or IPv6 address/,
    ],
    [
      ["mfa", "a", "b:c", "--mfa-verified-at", "yesterday"],
      /'--mfa-verified-at <time>' argument 'yesterday' is invalid\. expected "now" or RFC 3339/,
    ],
    [["bundle", "build", "x"], /required option '-o, --output <file>' not specified/],
    [["bundle", "frobnicate"], /unknown command 'frobnicate'/],
  ])("refuses %j in one line with status 2", async (args, text) => {
    expectFailure(await runPostern(args), text);
  });

  it("shows help and the version with status 0", async () => {
    const help = await runPostern(["--help"]);
    expect(help).toMatchObject({ status: 0, stderr: "" });
    for (const command of [
      "serve",
      "check",
      "mfa",
      "permissions",
      "bundle",
      "directory",
      "config",
    ]) {
      expect(help.stdout).toContain(`\n  ${command} `);
    }
    expect((await runPostern(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("shows help on standard error without a command", async () => {
    expect(await runPostern([])).toMatchObject({ status: 2, stdout: "" });
  });
});

describe("postern serve", () => {
  it("refuses a wrong configuration before anything starts", async () => {
    const config = file("c.yaml", "cache: { ttl: 1 }");
    const run = await runPostern(["serve", "--config", config]);
    expectFailure(run, /c\.yaml:1:10: cache: there is no option "ttl" here; did you mean ttl_ms\?/);
  });

  it("hands the configuration over and ends with the server's status", async () => {
    const config = file("c.yaml", "cache: { ttl_ms: 1 }");
    const served: number[] = [];
    const run = await runPostern(["serve", "--config", config], {
      serve: async (loaded) => {
        served.push(loaded.config.cache.ttlMs);
        return 7;
      },
    });
    expect([run.status, served]).toEqual([7, [1]]);
  });
});

describe("postern config", () => {
  it("checks: findings are status 1, a file that is not there is 2", async () => {
    const wrong = file("c.yaml", "cache: { ttl_ms: x, foo: 1 }");
    const checked = await runPostern(["config", "check", "--config", wrong]);
    expect(checked.status).toBe(1);
    expect(checked.stdout.trimEnd().split("\n")).toHaveLength(2);
    const sources = file("c.yaml", "ext_authz: { rbac: { subject: [{ from: cookie/x }] } }");
    expect(await runPostern(["config", "check", "--config", sources])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('ext_authz.rbac.subject[0].from: "cookie/x" is no source'),
    });
    expectFailure(await runPostern(["config", "check", "--config", "no-such-file"]), "can't read");
    const fine = file("c.yaml", "cache: { ttl_ms: 1 }");
    expect(await runPostern(["config", "check", "--config", fine])).toMatchObject({
      status: 0,
      stdout: `${fine}: ok\n`,
    });
  });

  it("prints what is in force, the environment included", async () => {
    const env = { POSTERN_CACHE_TTL_MS: "9" };
    const { stdout } = await runPostern(["config", "print"], { env });
    expect(stdout).toContain("  ttl_ms: 9 # POSTERN_CACHE_TTL_MS\n");
    const config = file("c.yaml", "cache: { fills_max: 3 }");
    const printed = await runPostern(["config", "print", "--config", config], { env });
    expect(printed.stdout).toContain(`  fills_max: 3 # ${config}:1\n`);
  });

  it("takes a file in one way, as every command does", async () => {
    const config = file("c.yaml", "");
    for (const command of ["check", "print"]) {
      expectFailure(await runPostern(["config", command, config]), /too many arguments/);
    }
  });

  it("prints the reference", async () => {
    expect((await runPostern(["config", "reference"])).stdout).toMatch(/^# Configuration\n/);
  });
});

describe("postern directory", () => {
  function fake(directory: Partial<Directory>): { closed: number; open: () => Promise<Directory> } {
    const state = {
      closed: 0,
      open: async () =>
        ({
          ...directory,
          close: async () => {
            state.closed += 1;
          },
          // Only what a test calls is there.
        }) as Directory,
    };
    return state;
  }

  it("passes on what is wrong with a file, with status 2, and closes the database", async () => {
    const path = file("d.yaml", "subjects: 5");
    const state = fake({
      apply: () => Promise.reject(new PdpError("invalid-argument", "d.yaml:1:11: subjects: no")),
    });
    expectFailure(
      await runPostern(["directory", "apply", path], { openDirectory: state.open }),
      /^d\.yaml:1:11: subjects: no\n$/,
    );
    expect(state.closed).toBe(1);
  });

  it("refuses a file that is not there before it opens the database", async () => {
    expectFailure(await runPostern(["directory", "apply", "no-such-file"]), "can't be read");
  });

  it("applies a file, or tries it, and prints the plan", async () => {
    const path = file("d.yaml", "subjects: []");
    const seen: unknown[] = [];
    const state = fake({
      apply: async (text, { dryRun }) => {
        seen.push(text.text, dryRun);
        return { items: [], warnings: ["odd\u001b"], dryRun, generation: 4 };
      },
    });
    const setup = { openDirectory: state.open, isTerminal: true };
    const run = await runPostern(["directory", "apply", path, "--dry-run"], setup);
    expect(run).toEqual({
      status: 0,
      stdout: "warning: odd\\u001b\nNothing to change. Generation 4.\n",
      stderr: "",
    });
    await runPostern(["directory", "apply", path], setup);
    expect(seen).toEqual(["subjects: []", true, "subjects: []", false]);
    expect(state.closed).toBe(2);
  });

  it("shows the directory as YAML", async () => {
    const { open } = fake({ show: async () => ({ subjects: [{ id: "a: b", groups: ["x"] }] }) });
    const run = await runPostern(["directory", "show"], { openDirectory: open });
    expect(run.stdout).toBe('subjects:\n  - id: "a: b"\n    groups:\n      - x\n');
  });
});
