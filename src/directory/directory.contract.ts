import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { notingMeter } from "../../test/support/noting-meter.ts";
import type { openTestDirectory, TestDirectory } from "../../test/support/test-directory.ts";
import { deadlineIn, noDeadline } from "../base/deadline.ts";
import type { GrantPath } from "../decision/permission-set.ts";
import type { DirectoryChange } from "./directory.ts";

async function grantsOf(test: TestDirectory, id: string, application = "platform") {
  const { classes } = await test.directory.resolve(application, id, noDeadline);
  return classes.flatMap(({ grants }) => grants);
}

const paths = (grants: readonly GrantPath[]): string[] =>
  grants.map(({ path }) => path.join(" ")).sort();

/** What a directory is kept in. */
export interface DirectoryBackend {
  /** Opens an empty one. */
  readonly open: (...settings: Parameters<typeof openTestDirectory>) => Promise<TestDirectory>;
  /** Runs SQL on its database behind its back. */
  readonly alter: (test: TestDirectory, sql: string) => Promise<void>;
}

/** What every directory does, whatever it is kept in. */
export function directoryContract(backend: DirectoryBackend): void {
  const { alter } = backend;
  const opened: TestDirectory[] = [];
  afterEach(async () => {
    for (const test of opened.splice(0).reverse()) await test.dispose();
  });

  async function open(...settings: Parameters<typeof openTestDirectory>): Promise<TestDirectory> {
    const test = await backend.open(...settings);
    opened.push(test);
    return test;
  }

  async function quickstart(): Promise<TestDirectory> {
    const test = await open();
    await test.apply(await readFile("examples/quickstart-directory.yaml", "utf8"));
    return test;
  }

  describe("openDirectory()", () => {
    it("refuses a schema newer than the program, and leaves it as it is", async () => {
      const test = await open();
      await alter(test, "update state set schema_version = 99");
      await expect(test.openAnother()).rejects.toMatchObject({
        kind: "unavailable",
        message: expect.stringContaining("schema version 99, newer than"),
      });
    });

    it("says where it looks for catalogues if there is no such folder", async () => {
      const test = await open();
      await expect(test.openAnother({ cataloguesFolder: "no/such" })).rejects.toMatchObject({
        kind: "invalid-argument",
        message: expect.stringMatching(
          /^The catalogues in \/.*no\/such can't be read \(ENOENT\)\. .*directory\.catalogues_folder/,
        ),
      });
    });

    it("refuses catalogues with mistakes", async () => {
      const test = await open();
      const folder = test.folder;
      await writeFile(join(folder, "broken.yaml"), "application: broken\nresourceType: []\n");
      await expect(test.openAnother({ cataloguesFolder: folder })).rejects.toMatchObject({
        kind: "invalid-argument",
        message: expect.stringContaining(
          "broken.yaml:2:15: resourceType: unknown key; did you mean",
        ),
      });
    });

    it("keeps everything over a restart, without a new generation", async () => {
      const test = await quickstart();
      const before = await test.directory.resolve("platform", "user-123", noDeadline);
      const again = await test.openAnother();
      expect(await again.directory.resolve("platform", "user-123", noDeadline)).toEqual(before);
      await again.dispose();
    });

    it("takes a changed catalogue over, but not what the operator customised", async () => {
      const test = await open();
      const folder = test.folder;
      const catalogue = (pattern: string): string => `
application: tiny
resourceTypes:
  - name: door
    description: Doors
    actions:
      - { id: 1, name: open, description: Open }
      ${pattern.includes("close") ? "- { id: 2, name: close, description: Close }" : ""}
roles:
  - { name: guard, permissions: ["${pattern}"] }
  - { name: guest, assignment: default, permissions: ["${pattern}"] }
`;
      await writeFile(join(folder, "tiny.yaml"), catalogue("door:close"));
      const old = await test.openAnother({ cataloguesFolder: folder });
      await old.apply(`
subjects: [{ id: a }]
applications:
  tiny:
    roles: [{ name: guard, permissions: [door:open, door:close] }]
    assignments: [{ subject: a, roles: [guard], permissions: [door:close] }]
`);
      await old.dispose();
      await writeFile(join(folder, "tiny.yaml"), catalogue("door:open"));
      const next = await test.openAnother({ cataloguesFolder: folder });
      // What only the old catalogue had is gone, wherever it was.
      expect(
        (await grantsOf(next, "a", "tiny")).map(({ role, patterns }) => [role, patterns]),
      ).toEqual([
        ["guard", ["door:open"]],
        ["guest", ["door:open"]],
      ]);
      await next.dispose();
    });
  });

  describe("resolve()", () => {
    it("follows group, role and inherited roles, and says the path of each", async () => {
      const test = await quickstart();
      expect(paths(await grantsOf(test, "user-123"))).toEqual([
        "direct",
        "group:llm-platform/developers",
        "group:llm-platform/developers role:developer",
        "group:llm-platform/developers role:developer role:user",
        "role:user",
      ]);
      expect(paths(await grantsOf(test, "ml-1"))).toEqual([
        "role:ml-engineer",
        "role:ml-engineer role:developer",
        "role:ml-engineer role:developer role:user",
        "role:user",
      ]);
    });

    it("carries conditions and limits along the path", async () => {
      const test = await quickstart();
      const { classes } = await test.directory.resolve("platform", "admin-1", noDeadline);
      expect(classes[0]).toMatchObject({
        conditions: { mfa: "required", ipWhitelists: [["10.0.0.0/8", "192.168.0.0/16"]] },
        grants: [{ role: "admin" }, { role: "developer" }, { role: "user" }],
      });
      expect(classes[1]).toMatchObject({ conditions: { mfa: "none" }, grants: [{ role: "user" }] });
      for (const { role, limits } of await grantsOf(test, "ml-2")) {
        const path = role === undefined || role === "user" ? [] : Object.keys(limits);
        expect(path).toEqual(
          role === "ml-engineer" || role === "developer" ? ["maxConcurrentJobs", "maxGPUTime"] : [],
        );
      }
    });

    it("takes the smaller of two numbers for a limit, and the nearer of two texts", async () => {
      const test = await open();
      await test.apply(`
subjects: [{ id: a, type: service }]
applications:
  platform:
    roles:
      - { name: outer, inheritsFrom: [inner], restrictions: { jobs: 5, zone: a, rate: 1 } }
      - { name: inner, restrictions: { jobs: 9, zone: b, rate: 0.5 } }
    assignments: [{ subject: a, roles: [outer] }]
`);
      expect((await grantsOf(test, "a")).map(({ limits }) => ({ ...limits }))).toEqual([
        { jobs: 5, zone: "a", rate: 1 },
        { jobs: 5, zone: "a", rate: 0.5 },
      ]);
    });

    it("leaves out what has expired, to the second, and says how long the rest holds", async () => {
      const test = await open();
      await test.apply(`
subjects: [{ id: a }]
applications:
  platform:
    assignments:
      - { subject: a, permissions: [admin:audit], expiresAt: 2026-01-05T10:00:10Z }
      - { subject: a, roles: [developer], expiresAt: 2026-01-05T11:00:00Z }
`);
      const at = async () => {
        const set = await test.directory.resolve("platform", "a", noDeadline);
        return [set.classes.length, set.validUntilMs];
      };
      expect(await at()).toEqual([3, Date.parse("2026-01-05T10:00:10Z")]);
      test.clock.stepWall(9_999);
      expect((await at())[0]).toBe(3);
      test.clock.stepWall(1);
      expect(await at()).toEqual([2, Date.parse("2026-01-05T11:00:00Z")]);
      test.clock.stepWall(3_600_000);
      expect(await at()).toEqual([1, undefined]);
    });

    it("gives default roles to known, enabled users alone", async () => {
      const test = await quickstart();
      expect(paths(await grantsOf(test, "user-1"))).toEqual(["role:user"]);
      expect(paths(await grantsOf(test, "agent-brain"))).toEqual(["role:service.agent-brain"]);
      const disabled = await test.directory.resolve("platform", "former-1", noDeadline);
      expect(disabled).toMatchObject({ status: "disabled", classes: [] });
      const unknown = await test.directory.resolve("platform", "nobody", noDeadline);
      expect(unknown).toMatchObject({ status: "unknown", classes: [], subject: { type: "user" } });
    });

    it("gives unknown subjects the default roles where the application says so", async () => {
      const test = await open({}, { unknownSubjects: () => "default-roles" });
      const set = await test.directory.resolve("platform", "nobody", noDeadline);
      expect(set.status).toBe("unknown");
      expect(paths(set.classes.flatMap(({ grants }) => grants))).toEqual(["role:user"]);
    });

    it("knows attributes and groups where there is no catalogue", async () => {
      const test = await quickstart();
      const set = await test.directory.resolve("billing", "user-123", noDeadline);
      expect(set).toMatchObject({
        status: "active",
        classes: [],
        groups: ["llm-platform/developers"],
      });
      expect({ ...set.attributes }).toEqual({ department: "research", clearance: "secret" });
    });

    it("gives a group a manual role only where the operator maps it", async () => {
      const test = await open();
      await test.apply(`
subjects: [{ id: a, groups: [llm-platform/developers] }]
applications: { platform: { roles: [{ name: developer, assignment: manual }] } }
`);
      expect(paths(await grantsOf(test, "a"))).toEqual([
        "group:llm-platform/developers",
        "role:user",
      ]);
      await test.apply(`
applications:
  platform:
    groupMappings: [{ group: llm-platform/developers, roles: [developer] }]
`);
      expect(paths(await grantsOf(test, "a"))).toContain(
        "group:llm-platform/developers role:developer",
      );
    });

    it("refuses a set beyond the limit instead of cutting it", async () => {
      const test = await open({ grantsMax: 3 });
      await test.apply("subjects: [{ id: a, groups: [llm-platform/developers] }, { id: b }]");
      await expect(test.directory.resolve("platform", "a", noDeadline)).rejects.toMatchObject({
        kind: "failed-precondition",
      });
      await expect(test.directory.resolve("platform", "b", noDeadline)).resolves.toBeDefined();
    });

    it("fails when the deadline has passed, and when the directory is closed", async () => {
      const test = await open();
      const passed = deadlineIn(test.clock, 0);
      await expect(test.directory.resolve("platform", "a", passed)).rejects.toMatchObject({
        kind: "deadline-exceeded",
      });
      const inFlight = test.directory.resolve("platform", "a", noDeadline);
      inFlight.catch(() => {});
      await test.directory.close();
      await expect(inFlight).rejects.toMatchObject({ kind: "unavailable" });
      await expect(test.directory.generation(noDeadline)).rejects.toMatchObject({
        kind: "unavailable",
      });
    });

    it("refuses reads beyond those that may wait, and answers the others", async () => {
      const test = await open({ waitingReadsMax: 2 });
      const reads = Array.from({ length: 20 }, () =>
        test.directory.resolve("platform", "a", noDeadline),
      );
      const kinds = (await Promise.allSettled(reads)).map((read) =>
        read.status === "fulfilled" ? "answered" : (read.reason as { kind: string }).kind,
      );
      // Eight at once, and two that wait for them.
      expect(new Set(kinds.slice(0, 10))).toEqual(new Set(["answered"]));
      expect(new Set(kinds.slice(10))).toEqual(new Set(["resource-exhausted"]));
    });

    it("measures how resolves end, who waits, and the generation", async () => {
      const { meter, notes } = notingMeter();
      const test = await open({ waitingReadsMax: 1 }, { meter });
      expect(notes).toEqual(["postern_directory_generation 1"]);
      await test.apply("subjects: [{ id: a }]");
      expect(notes).toEqual(["postern_directory_generation 1", "postern_directory_generation 2"]);
      notes.length = 0;
      const read = () => test.directory.resolve("platform", "a", noDeadline);
      await Promise.allSettled(Array.from({ length: 10 }, read));
      expect(new Set(notes)).toEqual(
        new Set([
          "postern_directory_waiting_transactions read 1",
          "postern_directory_waiting_transactions read 0",
          "postern_directory_resolve_seconds resource-exhausted 0",
          "postern_directory_resolve_seconds resolved 0",
        ]),
      );
    });

    it("answers many at once from whole snapshots", async () => {
      const test = await open();
      await test.apply("subjects: [{ id: a, attributes: { n: 0 }, groups: [g0] }]");
      const first = await test.directory.generation(noDeadline);
      const reads: Promise<void>[] = [];
      const read = async (): Promise<void> => {
        const set = await test.directory.resolve("platform", "a", noDeadline);
        const n = set.generation - first;
        expect([{ ...set.attributes }, set.groups]).toEqual([{ n }, [`g${n}`]]);
      };
      for (let n = 1; n <= 10; n++) {
        for (let i = 0; i < 10; i++) reads.push(read());
        await test.apply(`subjects: [{ id: a, attributes: { n: ${n} }, groups: [g${n}] }]`);
      }
      await Promise.all(reads);
    });
  });

  describe("watch()", () => {
    it("announces what another process commits, in order", async () => {
      const test = await open();
      const other = await test.openAnother();
      const changes: DirectoryChange[] = [];
      const heard = new Promise<void>((resolve) => {
        test.directory.watch((change) => {
          changes.push(change);
          if (change.subjects === "all") resolve();
        });
      });
      const first = await other.apply("subjects: [{ id: a }]");
      const second = await other.apply("applications: { platform: { roles: [{ name: x }] } }");
      test.poll();
      await heard;
      expect(changes).toEqual([
        { generation: first.generation, subjects: ["a"] },
        { generation: second.generation, subjects: "all" },
      ]);
      await other.dispose();
    });

    it("announces all where changes are no longer remembered", async () => {
      const test = await open();
      const other = await test.openAnother();
      await other.apply("subjects: [{ id: a }]");
      const { generation } = await other.apply("subjects: [{ id: b }]");
      await alter(test, `delete from changes where generation < ${generation}`);
      const change = new Promise((resolve) => test.directory.watch(resolve));
      test.poll();
      expect(await change).toEqual({ generation, subjects: "all", isRestart: true });
      await other.dispose();
    });

    it.each([
      ["an older copy was put back", "update state set generation = 1", 1],
      [
        "a copy was put back, and has grown beyond",
        "update changes set id = 'another' where generation = 2",
        3,
      ],
    ])("announces a restart where %s", async (_what, alteration, generation) => {
      const test = await open();
      await test.apply("subjects: [{ id: a }]");
      expect(await test.directory.generation(noDeadline)).toBe(2);
      await alter(test, alteration);
      if (generation > 2) {
        const other = await test.openAnother();
        await other.apply("subjects: [{ id: b }]");
        await other.dispose();
      }
      const change = new Promise((resolve) => test.directory.watch(resolve));
      test.poll();
      expect(await change).toEqual({ generation, subjects: "all", isRestart: true });
    });

    it("tells the other listeners when one fails", async () => {
      const test = await open();
      const heard: number[] = [];
      test.directory.watch(() => {
        throw new Error("broken listener");
      });
      test.directory.watch(({ generation }) => heard.push(generation));
      const { generation } = await test.apply("subjects: [{ id: a }]");
      expect(heard).toEqual([generation]);
    });
  });
}
