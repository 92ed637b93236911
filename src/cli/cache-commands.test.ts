import { describe, expect, it } from "vitest";
import { serveControl } from "../../test/support/fake-control-server.ts";
import { type CliRun, runPostern } from "../../test/support/run-postern.ts";
import type { CacheView } from "../cache/inspect-tiers.ts";

const run = (socket: string, args: readonly string[]): Promise<CliRun> =>
  runPostern(["cache", ...args, "--socket", socket]);

const noBundles = { list: () => [], remove: async () => false };

async function serve(cache: {
  readonly show?: (subjectId: string) => Promise<unknown>;
  readonly purge?: (subjectId?: string) => Promise<boolean>;
}): Promise<string> {
  const show = cache.show ?? (async () => ({}));
  return serveControl({}, noBundles, { show, purge: cache.purge ?? (async () => true) });
}

describe("postern cache", () => {
  const view: CacheView = {
    subject: "user-123",
    directoryLookedAtMsAgo: 120,
    isChannelTrusted: true,
    entries: [
      {
        application: "platform",
        tier: "memory",
        status: "active",
        generation: 7,
        ageMs: 1_240,
        validUntilMs: 1_800_000_000_000,
      },
      { application: "platform", tier: "redis", miss: "outdated" },
    ],
  };

  it("shows what each tier has, and whether changes are heard of", async () => {
    const socket = await serve({ show: async () => view });
    const shown = await run(socket, ["show", "user-123"]);
    expect(shown).toMatchObject({ status: 0, stderr: "" });
    expect(shown.stdout.split("\n")).toEqual([
      "directory last looked at: 0.1 s ago; changes are heard through Redis",
      "APPLICATION  TIER    STATUS        GENERATION  TRUE AS OF  VALID UNTIL",
      "platform     memory  active        7           1.2 s ago   2027-01-15T08:00:00.000Z",
      "platform     redis   - (outdated)",
      "",
    ]);
    expect(JSON.parse((await run(socket, ["show", "x", "--json"])).stdout)).toEqual(view);
  });

  it("says of a set beyond its time what it is good for", async () => {
    const [entry] = view.entries;
    const stale = { ...view, entries: [{ ...entry!, isStale: true as const }] };
    const socket = await serve({ show: async () => stale });
    expect((await run(socket, ["show", "user-123"])).stdout).toMatch(
      /^platform +memory +active .*Z +stale: used only while the directory can't be read$/m,
    );
  });

  it("asks for the very subject that is named, whatever its id is made of", async () => {
    const asked: (string | undefined)[] = [];
    const socket = await serve({
      show: async (id) => {
        asked.push(id);
        return { ...view, entries: [] };
      },
      purge: async (id) => {
        asked.push(id);
        return true;
      },
    });
    const ids = ["all", "a/b?c#d%2f", "..", "ж".repeat(128)];
    for (const id of ids) {
      expect((await run(socket, ["show", id])).status).toBe(0);
      expect((await run(socket, ["purge", "--subject", id])).status).toBe(0);
    }
    expect(asked).toEqual(ids.flatMap((id) => [id, id]));
    expect((await run(socket, ["purge", "--all"])).stdout).toContain("All permission sets are");
    expect(asked.at(-1)).toBeUndefined();
    expect((await run(socket, ["show", "a\nb"])).status).toBe(2);
  });

  it("says what it was not told, and what was not done", async () => {
    const socket = await serve({ purge: async () => false });
    const nothing = await run(socket, ["purge"]);
    expect(nothing).toMatchObject({
      status: 2,
      stderr: "postern: nothing is named to be purged; expected --subject <id> or --all\n",
    });
    expect((await run(socket, ["purge", "--all", "--subject", "a"])).status).toBe(2);
    const failed = await run(socket, ["purge", "--all"]);
    expect(failed.status).toBe(2);
    expect(failed.stderr).toContain("Redis can't be reached");
  });
});
