// A change that a command makes is announced through Redis before the command ends, and made without.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openAnnouncingDirectory } from "../../src/announcing-directory.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import type { SetChange } from "../../src/cache/cache.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { shareChanges } from "../../src/shared-changes.ts";
import { startRedis } from "../support/redis.ts";

const parts = {
  clock: systemClock,
  logger: silentLogger,
  meter: silentMeter,
};

async function openWith(redisUrl: string) {
  const folder = mkdtempSync(join(tmpdir(), "postern-announce-"));
  const env = {
    POSTERN_DIRECTORY_DATABASE: `sqlite:${join(folder, "directory.db")}`,
    POSTERN_CACHE_REDIS_URL: redisUrl,
  };
  const { config } = loadConfig({ file: undefined, env });
  const unannounced: string[] = [];
  const directory = await openAnnouncingDirectory({
    config,
    unannounced: (why) => unannounced.push(why),
  });
  onTestFinished(() => directory.close());
  const apply = (text: string, { dryRun = false } = {}) =>
    directory.apply({ name: "change.yaml", text }, { dryRun });
  return { config, directory, apply, unannounced };
}

describe("openAnnouncingDirectory()", () => {
  it("has published a change when apply answers", async () => {
    const server = await startRedis();
    const { config, directory, apply, unannounced } = await openWith(server.url);
    const heard: SetChange[] = [];
    const other = await shareChanges({
      ...{ ...parts, directory, options: config.cache.redis! },
      listener: (change) => heard.push(change),
    });
    onTestFinished(other.close);
    await other.announcements.start();
    const { generation } = await apply("subjects: [{ id: alice }, { id: bob }]");
    // It asks Redis alone, not the directory.
    await other.announcements.catchUp();
    expect(heard.at(-1)).toEqual({ generation, subjects: ["alice", "bob"] });
    const later = await apply("subjects: [{ id: alice, disabled: true }]");
    await other.announcements.catchUp();
    expect(heard.at(-1)).toEqual({ generation: later.generation, subjects: ["alice"] });
    expect(unannounced).toEqual([]);
  });

  it("announces nothing where nothing has changed", async () => {
    const server = await startRedis();
    const { apply, unannounced } = await openWith(server.url);
    await server.kill();
    await apply("subjects: [{ id: alice }]", { dryRun: true });
    await apply("subjects: []");
    expect(unannounced).toEqual([]);
  });

  it("makes the change where Redis is away, and says that it was not announced", async () => {
    const server = await startRedis();
    const { directory, apply, unannounced } = await openWith(server.url);
    await apply("subjects: [{ id: alice }]");
    await server.kill();
    await apply("subjects: [{ id: bob }]");
    expect(unannounced).toEqual([expect.stringMatching(/^Redis at .*redis.sock can't be used\.$/)]);
    expect((await directory.show()).subjects?.map(({ id }) => id)).toEqual(["alice", "bob"]);
  });

  it("makes the change where Redis refuses the password, which is not shown", async () => {
    const server = await startRedis();
    const wrong = server.url.replace("://", "://somebody:wrong-password@");
    const { directory, apply, unannounced } = await openWith(wrong);
    await apply("subjects: [{ id: alice }]");
    expect(await directory.isEmpty()).toBe(false);
    expect(unannounced).toEqual([expect.stringContaining("it refuses the user or the password")]);
    expect(unannounced[0]).not.toContain("wrong-password");
  });
});
