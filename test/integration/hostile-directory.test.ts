// Bad directory files, and rights that end, against the database of a running server.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentHealth } from "../../src/base/health.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import { openDirectory } from "../../src/directory/open-directory.ts";
import { type HostileServer, startHostileServer } from "../support/hostile-server.ts";
import { type CliRun, runPostern } from "../support/run-postern.ts";

let server: HostileServer;
let shown: string;

beforeAll(async () => {
  server = await startHostileServer();
  shown = await show();
});
afterEach(() => server.expectUnharmed());
afterAll(() => server.close());

/** Runs `postern directory …` in this process, on the server's database. */
function directory(...args: string[]): Promise<CliRun> {
  const inside = (path: string): string => join(server.workspace.folder, path);
  return runPostern(["directory", ...args], {
    env: {
      POSTERN_DIRECTORY_DATABASE: `sqlite:${inside("state/directory.db")}`,
      POSTERN_DIRECTORY_CATALOGUES_FOLDER: inside("catalogues"),
    },
    openDirectory: ({ directory: options }) =>
      openDirectory({
        options,
        clock: systemClock,
        logger: silentLogger,
        meter: silentMeter,
        health: silentHealth,
        unknownSubjects: () => "deny",
      }),
  });
}

function apply(content: string | Uint8Array): Promise<CliRun> {
  const file = join(server.workspace.folder, "f.yaml");
  writeFileSync(file, content);
  return directory("apply", file);
}

const show = async (): Promise<string> => (await directory("show")).stdout;
const subject = (entry: string): string => `subjects:\n  - ${entry}\n`;
const ofSubject = (attribute: string): string =>
  subject(`{ id: u, attributes: { n: ${attribute} } }`);
const platform = (entries: string): string => `applications:\n  platform:\n    ${entries}\n`;
const role = (entry: string): string => platform(`roles: [{ name: r, ${entry} }]`);
const assignment = (entry: string): string =>
  platform(`assignments: [{ subject: user-123, ${entry} }]`);

describe("a bad directory file", () => {
  it.each<[what: string, content: string | Uint8Array, place: string, expected: string]>([
    ["an alias", "subjects: &a []\napplications: *a", "2:15: applications", "aliases are not"],
    ["an alias of itself", "subjects: &a [*a]", "1:15: subjects[0]", "a value written out"],
    ["a merge key", subject("{ id: u, <<: {} }"), '2:18: subjects[0]["<<"]', "unknown key"],
    ["an integer beyond 2^53", ofSubject("9007199254740993"), "2:31: subjects[0].attributes.n", ""],
    ["a number beyond all", ofSubject("1e999"), "2:31: subjects[0].attributes.n", "a finite"],
    ["NaN", ofSubject(".nan"), "2:31: subjects[0].attributes.n", "a finite number"],
    ["a lone surrogate", ofSubject('"\\ud800"'), "2:31: subjects[0].attributes.n", "Unicode"],
    ["a key twice", subject("{ id: u, id: v }"), "2:14: subjects[0].id", "each key once"],
    ["a section twice", "subjects: []\nsubjects: []", "2:1: subjects", "each key once"],
    ["a number as id", subject("{ id: 1e3 }"), "2:11: subjects[0].id", "expected a text"],
    ["NUL", subject('{ id: "a\\0" }'), "2:11: subjects[0].id", "without control characters"],
    ["a tag", "subjects: !!js/function x", "1:25: subjects", "without a tag"],
    ["bytes", ofSubject("!!binary aGk="), "2:40: subjects[0].attributes.n", "without a tag"],
    ["two documents", "subjects: []\n---\nsubjects: []", "2:1", "one document"],
    ["YAML 1.1", "%YAML 1.1\n---\nsubjects: []", "1:1", "YAML 1.2"],
    ["a tab", "subjects:\n\t- id: u", "2:1", "Tabs"],
    ["a list as key", "? [a]\n: 1", "1:3", "a text as key"],
    ["no key", "? \n: 1", '2:3: [""]', "one of subjects, applications"],
    ["Latin-1", Buffer.from([0x73, 0xff]), "", "expected UTF-8"],
    ["UTF-16", Buffer.from("\ufeffsubjects: []", "utf16le"), "", "expected UTF-8"],
    ["20,000 levels", "[".repeat(20_000), "", "nested too deeply"],
    ["3,000 levels of mappings", `${"{ a: ".repeat(3_000)}`, "", "nested too deeply"],
    [
      "33 levels",
      ofSubject("[".repeat(31) + "]".repeat(31)),
      "2:60: subjects[0].attributes.n[0]",
      "at most 32 levels",
    ],
    ["a text", "5", "1:1: the file", "a mapping of keys"],
    ["__proto__ at the top", "__proto__: {}", "1:12: __proto__", "one of subjects, applications"],
    [
      "__proto__ in an entry",
      subject("{ id: u, __proto__: {} }"),
      "2:25: subjects[0].__proto__",
      "",
    ],
    ["__proto__ as application", "applications: { __proto__: {} }", "1:28: ", "one of gateway"],
    ["toString as application", "applications: { toString: {} }", "1:27: ", "one of gateway"],
    [
      "__proto__ as role",
      role("inheritsFrom: [__proto__]"),
      "3:39: applications.platform.roles[0].inheritsFrom[0]",
      "a letter, then letters",
    ],
    ["an unknown key", subject("{ id: u, grups: [] }"), "2:21: subjects[0].grups", '"groups"'],
    ["a role *", assignment('roles: ["*"]'), ".assignments[0].roles[0]", "a letter, then"],
    ["a permission *", assignment('permissions: ["*"]'), ".permissions[0]", "resource:action"],
    ["a permission **:*", assignment('permissions: ["**:*"]'), ".permissions[0]", "outside the"],
    ["30 February", assignment("expiresAt: 2027-02-30T00:00:00Z"), "].expiresAt", "RFC 3339"],
    ["tomorrow", assignment("expiresAt: tomorrow"), "].expiresAt", "RFC 3339"],
    ["an empty scope", assignment("scope: {}"), "].scope", "leave scope out for everywhere"],
    ["a scope of nothing", assignment("scope: { project: [] }"), ".scope.project", "at least 1"],
    ["a scope *a", assignment('scope: { project: ["*a"] }'), ".project[0]", "* at the end only"],
    ["10.0.0.0/33", role("restrictions: { ipWhitelist: [10.0.0.0/33] }"), ".ipWhitelist[0]", ""],
    ["010.0.0.0/8", role("restrictions: { ipWhitelist: [010.0.0.0/8] }"), ".ipWhitelist[0]", ""],
    ["no network", role("restrictions: { ipWhitelist: [] }"), ".ipWhitelist", "at least 1"],
    ["mfa: true", role("restrictions: { mfa: true }"), ".restrictions.mfa", 'one of "required"'],
    ["MFA", role("restrictions: { MFA: required }"), ".restrictions.MFA", 'did you mean "mfa"'],
    ["a circle", role("inheritsFrom: [r]"), ".roles[0].inheritsFrom", "r → r"],
  ])("with %s is refused by line and field", async (_, content, place, expected) => {
    const run = await apply(content);
    expect(run).toMatchObject({ status: 2, stdout: "" });
    const [line = ""] = run.stderr.split("\n");
    expect(line).toMatch(place === "" ? /f\.yaml: / : /f\.yaml:\d+:\d+: /);
    expect(line).toContain(place);
    expect(line).toContain(expected);
  });

  it("changes nothing, not even in what is right before the mistake", async () => {
    const good = subject("{ id: user-123, disabled: true }");
    const run = await apply(`${good}  - { id: former-1, disabled: no }\n`);
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(/f\.yaml:3:\d+: subjects\[1\]\.disabled: expected true or false/);
  });

  it("leaves the directory as it was", async () => {
    expect(await show()).toBe(shown);
  });
});

type Question = Parameters<HostileServer["check"]>[0];

const untilAllowed = (asked: Question): Promise<void> =>
  expect.poll(async () => (await server.check(asked)).allowed, { timeout: 5_000 }).toBe(true);

const report = { action: { name: "report" }, resource: { type: "compliance" } };

describe("a right that ends", () => {
  it("is gone 1 s after its removal was applied, amid a flood of questions", async () => {
    const asked = { ...report, subject: { id: "user-123" } };
    const file = join(server.workspace.folder, "revocation.yaml");
    const granted = assignment("permissions: [compliance:report]");
    expect(await apply(granted)).toMatchObject({ status: 0 });
    await untilAllowed(asked);

    let holdsFromMs = Number.POSITIVE_INFINITY;
    const late: boolean[] = [];
    const ask = async (): Promise<void> => {
      while (late.length < 1_000) {
        const askedAtMs = systemClock.monotonicMs();
        const { allowed } = await server.check(asked);
        if (askedAtMs > holdsFromMs) late.push(allowed);
      }
    };
    const flood = Promise.all(Array.from({ length: 32 }, ask));
    writeFileSync(file, assignment("permissions: [compliance:report], remove: true"));
    const removal = await server.workspace.postern("directory", "apply", file);
    holdsFromMs = systemClock.monotonicMs() + 1_000;
    await flood;
    expect(removal).toMatchObject({ status: 0, stderr: "" });
    expect(late).not.toContain(true);
  });

  it("ends to the second, also in a set that is cached", async () => {
    const asked = { ...report, subject: { id: "user-1" } };
    const expiresAtMs = (Math.ceil(systemClock.wallMs() / 1_000) + 3) * 1_000;
    const expiresAt = new Date(expiresAtMs).toISOString();
    const entry = `subject: user-1, permissions: [compliance:report], expiresAt: ${expiresAt}`;
    const applied = await apply(platform(`assignments: [{ ${entry} }]`));
    expect(applied).toMatchObject({ status: 0 });
    await untilAllowed(asked);

    const hitsBefore = await cacheHits();
    let answers = 0;
    const wrong: string[] = [];
    let askedAtMs = 0;
    while (askedAtMs < expiresAtMs + 200) {
      askedAtMs = systemClock.wallMs();
      const { allowed } = await server.check(asked);
      answers += 1;
      if (allowed && askedAtMs >= expiresAtMs) wrong.push("allowed after");
      if (!allowed && systemClock.wallMs() < expiresAtMs) wrong.push("denied before");
    }
    expect(wrong).toEqual([]);
    // Read anew when the change is noticed and when the right expires; else the cached set answers.
    expect((await cacheHits()) - hitsBefore).toBeGreaterThan(answers - 5);
  });
});

async function cacheHits(): Promise<number> {
  const metrics = await (await fetch(`${server.process.diagnostics}/metrics`)).text();
  return Number(/^postern_permission_set_cache_hits_total (\d+)$/m.exec(metrics)?.[1]);
}
