import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type PostgresServer, startPostgres } from "../../test/support/postgres.ts";
import { openTestDirectory, type TestDirectory } from "../../test/support/test-directory.ts";
import { noDeadline } from "../base/deadline.ts";
import type { ComponentState } from "../base/health.ts";
import { silentLogger } from "../base/logger.ts";

const PASSWORD = "wrong-but-secret";
let server: PostgresServer;
let database: string;
beforeAll(async () => {
  server = await startPostgres(["fsync=off"]);
  database = await server.createDatabase();
});
afterAll(() => server.dispose());

const opened: TestDirectory[] = [];
afterEach(async () => {
  for (const test of opened.splice(0)) await test.dispose();
});

async function open(...settings: Parameters<typeof openTestDirectory>): Promise<TestDirectory> {
  const test = await openTestDirectory(...settings);
  opened.push(test);
  return test;
}

/** The database's URL, but for some parts. */
function changed(change: (url: URL) => void): string {
  const url = new URL(database);
  change(url);
  return url.href;
}

async function refusal(url: string): Promise<string> {
  try {
    await open({ database: url });
  } catch (error) {
    expect(error).toMatchObject({ kind: "unavailable", field: "directory.database" });
    return (error as Error).message;
  }
  return "nothing refused";
}

describe("openDirectory() on PostgreSQL", () => {
  it.each<[what: string, change: (url: URL) => void, why: RegExp]>([
    ["host", (url) => (url.hostname = "nobody.invalid"), /nobody knows a host|looked up/],
    ["port", (url) => (url.port = "1"), /ECONNREFUSED.*nothing listens at that host and port/],
    ["password", (url) => (url.password = PASSWORD), /the password is wrong, or there is no such/],
    ["user", (url) => (url.username = "nobody"), /the password is wrong, or there is no such user/],
    ["database", (url) => (url.pathname = "/none"), /"none" does not exist: make it with: create/],
    ["socket", (url) => url.searchParams.set("host", "/no/such"), /ENOENT.*no such socket/],
    ["TLS mode", (url) => url.searchParams.set("sslmode", "require"), /sslmode=disable all goes/],
    [
      "CA file",
      (url) => (url.search = "?sslmode=verify-full&sslrootcert=/no/such.pem"),
      /sslrootcert, \/no\/such\.pem, can't be read \(ENOENT\)/,
    ],
  ])("refuses a wrong %s, and says what is wrong without the password", async (_, change, why) => {
    const message = await refusal(changed(change));
    expect(message).toMatch(/^The directory postgres:\/\/\w+:\*\*\*@.* can't be used: /);
    expect(message).toMatch(why);
    expect(message).toContain("See directory.database (POSTERN_DIRECTORY_DATABASE).");
    expect(message).not.toContain(PASSWORD);
    expect(message).not.toContain(new URL(database).password);
  });

  it("refuses a user without rights, and says which are needed", async () => {
    const url = await server.createDatabase();
    await server.query(`revoke create on database ${new URL(url).pathname.slice(1)} from owner`);
    await server.query("create schema postern", url);
    expect(await refusal(url)).toMatch(/permission denied.*use the one called postern/);
  });

  it("refuses a database that does not store every character", async () => {
    await server.query(
      "create database latin template template0 encoding LATIN1 lc_collate 'C' lc_ctype 'C'",
    );
    await server.query("alter database latin owner to owner");
    const url = changed((parts) => (parts.pathname = "/latin"));
    expect(await refusal(url)).toContain("stores LATIN1; expected one with encoding UTF8");
  });

  it("serves a user who may only read, once another has made it", async () => {
    const url = await server.createDatabase();
    const first = await open({ database: url });
    await first.apply("subjects: [{ id: a }]");
    await server.query("create role reader login password 'r'");
    await server.query(
      "grant usage on schema postern to reader; grant select on all tables in schema postern to reader",
      url,
    );
    const parts = new URL(url);
    parts.username = "reader";
    parts.password = "r";
    const second = await open({ database: parts.href });
    const set = await second.directory.resolve("platform", "a", noDeadline);
    expect(set.status).toBe("active");
    await expect(second.apply("subjects: [{ id: b }]")).rejects.toMatchObject({
      kind: "unavailable",
    });
  });

  it("is made once by several who start at once", async () => {
    const url = await server.createDatabase();
    const directories = await Promise.all([1, 2, 3].map(() => open({ database: url })));
    const generations = directories.map(({ directory }) => directory.generation(noDeadline));
    expect(await Promise.all(generations)).toEqual([1, 1, 1]);
  });

  it("starts without the database where it may, says so, and is complete once it is there", async () => {
    const url = await server.createDatabase();
    await server.query(`alter database ${new URL(url).pathname.slice(1)} allow_connections false`);
    await expect(open({ database: url })).rejects.toMatchObject({ kind: "unavailable" });
    const states: string[] = [];
    const lines: string[] = [];
    const set = (_: string, state: ComponentState): void => void states.push(state);
    const logger = {
      ...silentLogger,
      error: (_: object, text: string): void => void lines.push(text),
    };
    const test = await open({ database: url, startWithout: true }, { health: { set }, logger });
    expect(states).toEqual(["failing"]);
    expect(lines[0]).toMatch(/^Started without the directory, and trying on\. .*not currently acc/);
    const resolve = () => test.directory.resolve("platform", "a", noDeadline);
    await expect(resolve()).rejects.toMatchObject({ kind: "unavailable" });

    await server.query(`alter database ${new URL(url).pathname.slice(1)} allow_connections true`);
    // Tried again once a second.
    await expect(resolve()).rejects.toMatchObject({ kind: "unavailable" });
    test.clock.advance(1_000);
    const heard = new Promise((announce) => test.directory.watch(announce));
    test.poll();
    expect(await heard).toEqual({ generation: 1, subjects: "all" });
    expect(await resolve()).toMatchObject({ status: "unknown" });
    expect(states).toEqual(["failing", "ok"]);
  });
});
