// TLS with a real server, whose certificate is for `localhost` alone.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type PostgresServer, startPostgres } from "../../test/support/postgres.ts";
import { openTestDirectory } from "../../test/support/test-directory.ts";
import { makeTlsFiles, type TlsFiles } from "../../test/support/tls-files.ts";
import { noDeadline } from "../base/deadline.ts";

let folder: string;
let tls: TlsFiles;
let stranger: TlsFiles;
let server: PostgresServer;
let database: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "postern-tls-"));
  chmodSync(folder, 0o755);
  tls = makeTlsFiles(folder);
  const other = mkdtempSync(join(folder, "other-"));
  stranger = makeTlsFiles(other);
  server = await startPostgres(["fsync=off"], tls);
  database = await server.createDatabase();
});
afterAll(async () => {
  await server.dispose();
  rmSync(folder, { recursive: true });
});

/** Opens it at `host`, and tells whether the connection is encrypted. */
async function openAt(host: string, parameters: Record<string, string>): Promise<boolean> {
  const url = new URL(database);
  url.hostname = host;
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const test = await openTestDirectory({ database: url.href });
  onTestFinished(() => test.dispose());
  expect(await test.directory.generation(noDeadline)).toBe(1);
  const [row] = await server.query(
    "select bool_and(ssl) as ssl from pg_stat_ssl join pg_stat_activity using (pid) " +
      "where application_name = 'postern'",
  );
  return row!["ssl"] as boolean;
}

describe("openDirectory() on PostgreSQL with TLS", () => {
  it.each<[string, string, () => Record<string, string>]>([
    ["verify-full", "localhost", () => ({ sslrootcert: tls.ca })],
    ["verify-ca", "127.0.0.1", () => ({ sslrootcert: tls.ca })],
    ["require", "127.0.0.1", () => ({})],
    ["require", "127.0.0.1", () => ({ sslrootcert: tls.ca })],
  ])("is encrypted with sslmode=%s at %s", async (sslmode, host, parameters) => {
    expect(await openAt(host, { sslmode, ...parameters() })).toBe(true);
  });

  it("is not with sslmode=disable", async () => {
    expect(await openAt("127.0.0.1", { sslmode: "disable" })).toBe(false);
  });

  it.each<[string, string, string, () => Record<string, string>, RegExp]>([
    [
      "another host's certificate",
      ...(["127.0.0.1", "verify-full"] as const),
      () => ({ sslrootcert: tls.ca }),
      /certificate is for another host/,
    ],
    [
      "a certificate of nobody it knows",
      ...(["localhost", "verify-full"] as const),
      () => ({}),
      /name the CA's certificate in sslrootcert/,
    ],
    [
      "a certificate of another authority",
      ...(["localhost", "verify-ca"] as const),
      () => ({ sslrootcert: stranger.ca }),
      /name the CA's certificate in sslrootcert|certificate signature failure/,
    ],
    [
      "a certificate of another authority, where one is named although none is asked for",
      ...(["localhost", "require"] as const),
      () => ({ sslrootcert: stranger.ca }),
      /name the CA's certificate in sslrootcert|certificate signature failure/,
    ],
  ])("refuses %s", async (_what, host, sslmode, parameters, why) => {
    const opening = openAt(host, { sslmode, ...parameters() });
    await expect(opening).rejects.toMatchObject({
      kind: "unavailable",
      field: "directory.database",
      message: expect.stringMatching(why),
    });
    await expect(opening).rejects.not.toThrow(new URL(database).password);
  });
});
