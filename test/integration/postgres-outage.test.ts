// What a directory on PostgreSQL makes of a server that dies, hangs, or is locked, and of processes
// that die or write at once.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { deadlineIn, noDeadline } from "../../src/base/deadline.ts";
import type { DirectoryChange } from "../../src/directory/directory.ts";
import { type PostgresServer, startPostgres } from "../support/postgres.ts";
import { projectRoot } from "../support/source-files.ts";
import { openTestDirectory, type TestDirectory } from "../support/test-directory.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.dispose());

let database: string;
const opened: TestDirectory[] = [];
beforeEach(async () => {
  database = await server.createDatabase();
});
afterEach(async () => {
  for (const test of opened.splice(0).reverse()) await test.dispose();
});

const postgres = { connections: 4, connectTimeoutMs: 1_000, statementTimeoutMs: 5_000 };

async function open(overrides: Parameters<typeof openTestDirectory>[0] = {}) {
  // The clock of deadlines is the one that the timers go by.
  const deps = { clock: systemClock };
  const test = await openTestDirectory({ database, postgres, ...overrides }, deps);
  opened.push(test);
  return test;
}

const resolve = ({ directory }: TestDirectory, id = "a") =>
  directory.resolve("platform", id, noDeadline);

/** Waits for it to be so; fails by the test's own time limit. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const ofPostern = (condition: string): string =>
  `from pg_stat_activity where application_name = 'postern' and ${condition}`;
const activity = (condition: string) => server.query(`select pid ${ofPostern(condition)}`);
const cut = (condition: string) =>
  server.query(`select pg_terminate_backend(pid) ${ofPostern(condition)}`);

const succeeds = (work: () => Promise<unknown>) => async () => {
  try {
    await work();
    return true;
  } catch {
    return false;
  }
};

describe("a server that is killed", () => {
  it("leaves nothing half done of a change, and the directory goes on when it is back", async () => {
    const test = await open();
    await test.apply("subjects: [{ id: a }]");
    const before = await test.directory.generation(noDeadline);
    const subjects = Array.from({ length: 20_000 }, (_, i) => ({ id: `s${i}`, groups: ["g"] }));
    const outcome = test.apply(JSON.stringify({ subjects })).then(
      () => "done",
      (error: unknown) => error,
    );
    await until(async () => (await activity("query like 'insert into%'")).length > 0);
    await server.kill("SIGKILL");
    expect(await outcome).toMatchObject({ kind: "unavailable" });
    await expect(resolve(test)).rejects.toMatchObject({
      kind: "unavailable",
      message: "the directory can't be read or written (the connection failed)",
    });

    await server.start();
    expect(await test.directory.generation(noDeadline)).toBe(before);
    expect((await test.directory.show()).subjects).toEqual([{ id: "a", type: "user" }]);
    expect((await test.apply("subjects: [{ id: b }]")).generation).toBe(before + 1);
  });

  it("loses no change that was acknowledged", async () => {
    const test = await open();
    const generations: number[] = [];
    for (let i = 0; i < 3; i++) {
      generations.push((await test.apply(`subjects: [{ id: s${i} }]`)).generation);
      await server.kill("SIGKILL");
      await server.start();
      await until(succeeds(() => resolve(test)));
      expect(await test.directory.generation(noDeadline)).toBe(generations.at(-1));
    }
    expect((await test.directory.show()).subjects).toHaveLength(3);
  });
});

describe("a server that hangs", () => {
  it("fails reads at their deadline, is vouched for no longer, and is used again by itself", async () => {
    const test = await open();
    await test.apply("subjects: [{ id: a }]");
    const upTo = test.directory.announcedUpToMs();
    await server.pause();
    try {
      const startedMs = systemClock.monotonicMs();
      const deadline = deadlineIn(systemClock, 100);
      await expect(test.directory.resolve("platform", "a", deadline)).rejects.toMatchObject({
        kind: "deadline-exceeded",
      });
      expect(systemClock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(99);
      test.poll();
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(test.directory.announcedUpToMs()).toBe(upTo);
    } finally {
      await server.resume();
    }
    expect((await resolve(test)).status).toBe("active");
    test.poll();
    await until(async () => test.directory.announcedUpToMs() > upTo);
  });
});

describe("connections that are cut", () => {
  it("are replaced, at the cost of what was in flight", async () => {
    const test = await open();
    await test.apply("subjects: [{ id: a }]");
    await Promise.all(Array.from({ length: 20 }, () => resolve(test)));
    await cut("true");
    await until(succeeds(() => resolve(test)));
    await Promise.all(Array.from({ length: 20 }, () => resolve(test)));
    await test.apply("subjects: [{ id: b }]");
  });

  it("leave open whether a change was made, where they are cut at its commit", async () => {
    const test = await open();
    await server.query(
      `set search_path = postern;
       create function slow() returns trigger language plpgsql as
         'begin perform pg_sleep(60); return null; end';
       create constraint trigger slow after insert on changes
         deferrable initially deferred for each row execute function slow()`,
      database,
    );
    const outcome = test.apply("subjects: [{ id: a }]").catch((error: unknown) => error);
    await until(async () => (await activity("query = 'commit' and state = 'active'")).length > 0);
    await cut("query = 'commit' and state = 'active'");
    expect(await outcome).toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("may have been made or not; apply it again"),
    });
    await server.query("set search_path = postern; drop trigger slow on changes", database);
    expect((await test.apply("subjects: [{ id: a }]")).items).toHaveLength(1);
  });
});

describe("statements that take too long", () => {
  it("are given up, and hold no connection", async () => {
    const test = await open({ postgres: { ...postgres, statementTimeoutMs: 100 } });
    await test.apply("subjects: [{ id: a }]");
    const locked = server.query(
      "begin; lock table postern.subjects in access exclusive mode; select pg_sleep(1); commit",
      database,
    );
    await until(async () => {
      const held = "select 1 from pg_locks where mode = 'AccessExclusiveLock' and granted";
      return (await server.query(held, database)).length > 0;
    });
    const reads = await Promise.allSettled(Array.from({ length: 8 }, () => resolve(test)));
    for (const read of reads) {
      expect(read).toMatchObject({
        reason: {
          kind: "unavailable",
          message: "the directory can't be read or written (a statement took too long)",
        },
      });
    }
    await locked;
    expect((await resolve(test)).status).toBe("active");
  });
});

describe("two processes that write", () => {
  it("do so one after the other, and each hears of every change in order", async () => {
    const [one, other] = [await open(), await open()];
    const heard: DirectoryChange[] = [];
    one.directory.watch((change) => heard.push(change));
    const first = await one.directory.generation(noDeadline);
    const plans = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? one : other).apply(`subjects: [{ id: s${i} }]`),
      ),
    );
    const generations = plans.map(({ generation }) => generation).sort((a, b) => a - b);
    expect(generations).toEqual(Array.from({ length: 20 }, (_, i) => first + 1 + i));
    one.poll();
    await until(async () => heard.length === 20);
    expect(heard.map(({ generation }) => generation)).toEqual(generations);
    const named = heard.flatMap(({ subjects }) => subjects).sort();
    expect(named).toEqual(Array.from({ length: 20 }, (_, i) => `s${i}`).sort());
  });

  it("each see what the other has done: of the same change made twice, one does nothing", async () => {
    const both = [await open(), await open()];
    for (let i = 0; i < 10; i++) {
      const role = `{ name: r${i}, permissions: [agent:read] }`;
      const text = `
subjects: [{ id: s${i} }]
applications: { platform: { roles: [${role}], assignments: [{ subject: s${i}, roles: [r${i}] }] } }
`;
      const plans = await Promise.all(both.map((test) => test.apply(text)));
      expect(plans.map(({ items }) => items.length).sort()).toEqual([0, 3]);
    }
  });

  it("wait for each other so long and no longer, and keep nobody from reading", async () => {
    const test = await open({ busyTimeoutMs: 50 });
    await test.apply("subjects: [{ id: a }]");
    const busy = server.query(
      "begin; select * from postern.state for update; select pg_sleep(1); commit",
      database,
    );
    await until(
      async () =>
        (
          await server.query(
            "select 1 from pg_stat_activity where query like '%pg_sleep(1)%' and wait_event = 'PgSleep'",
          )
        ).length > 0,
    );
    await expect(test.apply("subjects: [{ id: b }]")).rejects.toMatchObject({
      kind: "unavailable",
      message: "the directory can't be read or written (another process's change is under way)",
    });
    expect((await resolve(test)).status).toBe("active");
    await busy;
    expect((await test.apply("subjects: [{ id: b }]")).items).toHaveLength(1);
  });
});

describe("a process that is killed once its change is acknowledged", () => {
  it("has its change announced by the others", async () => {
    const folder = mkdtempSync(join(tmpdir(), "postern-outage-"));
    try {
      const test = await open();
      const change = new Promise((announce) => test.directory.watch(announce));
      const file = join(folder, "a.yaml");
      writeFileSync(file, "subjects: [{ id: a, disabled: true }]");
      const applying = spawn(
        process.execPath,
        [join(projectRoot, "src/main.ts"), "directory", "apply", file],
        {
          cwd: projectRoot,
          env: { ...process.env, POSTERN_DIRECTORY_DATABASE: database },
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      await once(applying.stdout, "data");
      applying.kill("SIGKILL");
      await once(applying, "exit");
      const generation = await test.directory.generation(noDeadline);
      test.poll();
      expect(await change).toEqual({ generation, subjects: ["a"] });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
