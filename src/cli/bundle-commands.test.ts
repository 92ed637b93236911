import { describe, expect, it } from "vitest";
import { serveControl } from "../../test/support/fake-control-server.ts";
import { type CliRun, runPostern } from "../../test/support/run-postern.ts";

const run = (socket: string, args: readonly string[]): Promise<CliRun> =>
  runPostern([...args, "--socket", socket]);

describe("postern bundle", () => {
  const active = {
    application: "platform",
    state: "active",
    source: "folder",
    revision: "abc",
    digest: "0123456789abcdef",
    activatedAtMs: 1_800_000_000_000,
    lastAttemptAtMs: 1_800_000_000_000,
  };
  const failed = {
    application: "billing",
    state: "failed",
    stage: "manifest",
    error: `no roots in ${"a".repeat(60)}`,
    lastAttemptAtMs: 1_800_000_000_000,
  };

  it("lists what serves, with status 0", async () => {
    const socket = await serveControl({}, { list: () => [active], remove: async () => false });
    expect(await run(socket, ["bundle", "list"])).toEqual({
      status: 0,
      stderr: "",
      stdout:
        "APPLICATION  STATE   REVISION  DIGEST        ACTIVE SINCE          LAST ATTEMPT\n" +
        "platform     active  abc       0123456789ab  2027-01-15T08:00:00Z  2027-01-15T08:00:00Z\n",
    });
  });

  it("lists what was refused and why, with status 1", async () => {
    const socket = await serveControl(
      {},
      { list: () => [failed, active], remove: async () => false },
    );
    const { status, stdout } = await run(socket, ["bundle", "list"]);
    expect(status).toBe(1);
    expect(stdout.split("\n")).toEqual([
      "APPLICATION  STATE   REVISION  DIGEST        ACTIVE SINCE          LAST ATTEMPT",
      "billing      failed  -         -             -                     2027-01-15T08:00:00Z",
      `  refused at manifest: no roots in ${"a".repeat(60)}`,
      "platform     active  abc       0123456789ab  2027-01-15T08:00:00Z  2027-01-15T08:00:00Z",
      "",
    ]);
    const json = await run(socket, ["bundle", "list", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual([failed, active]);
  });

  it("removes one, and says which it doesn't know", async () => {
    const remove = async (application: string) => application === "billing";
    const socket = await serveControl({}, { list: () => [], remove });
    expect(await run(socket, ["bundle", "remove", "billing"])).toMatchObject({
      status: 0,
      stdout: "billing is no longer served.\n",
    });
    expect(await run(socket, ["bundle", "remove", "nope"])).toMatchObject({
      status: 2,
      stderr: 'postern: there is no bundle of the application "nope" (not_found)\n',
    });
    expect((await run(socket, ["bundle", "remove", "../x"])).status).toBe(2);
  });
});
