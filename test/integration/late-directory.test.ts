// A server that was started without its directory shares sets through Redis once it knows whose.
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { noDeadline } from "../../src/base/deadline.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import { parseConfig } from "../../src/config/load-config.ts";
import { PdpError } from "../../src/decision/error.ts";
import type { Directory } from "../../src/directory/directory.ts";
import { servePermissionSets } from "../../src/serving-permission-sets.ts";
import { startRedis } from "../support/redis.ts";
import { openTestDirectory } from "../support/test-directory.ts";

const query = {
  application: "platform",
  subjectId: "alice",
  deadline: noDeadline,
  consistency: { minimumGeneration: 0, bypassCache: false },
};

async function serveFrom(directory: Directory, redisUrl: string) {
  const env = { POSTERN_CACHE_REDIS_URL: redisUrl };
  const { config } = parseConfig({ text: "", fileName: "none", env });
  const served = await servePermissionSets({
    ...{ directory, clock: systemClock, logger: silentLogger, meter: silentMeter },
    options: config.cache,
    applications: () => directory.catalogues.keys(),
  });
  onTestFinished(served.close);
  const inRedis = async () =>
    (await served.inspection.show("alice")).entries.find(
      ({ application, tier }) => application === "platform" && tier === "redis",
    );
  return { ...served, inRedis };
}

describe("servePermissionSets()", () => {
  it("answers without Redis while the directory's identity can't be read, and uses it then", async () => {
    const server = await startRedis();
    const test = await openTestDirectory();
    onTestFinished(() => test.dispose());
    await test.apply("subjects: [{ id: alice }]");
    let isAway = true;
    const identity = async (): Promise<string> => {
      if (isAway) throw new PdpError("unavailable", "the directory is away");
      return test.directory.identity();
    };
    const served = await serveFrom({ ...test.directory, identity }, server.url);
    expect(await served.permissionSets.get(query)).toMatchObject({ status: "active" });
    expect(await served.inRedis()).toMatchObject({ miss: "untrusted" });
    expect(await served.inspection.purge("alice")).toBe(false);
    isAway = false;
    await expect.poll(served.inRedis, { timeout: 10_000 }).toMatchObject({ miss: "absent" });
    expect(await served.inspection.purge("alice")).toBe(true);
    await served.permissionSets.get(query);
    await expect.poll(served.inRedis).toMatchObject({ status: "active" });
  });

  it("refuses to start with a Redis that can't be used, although the directory is sound", async () => {
    const server = await startRedis();
    const test = await openTestDirectory();
    onTestFinished(() => test.dispose());
    const wrong = server.url.replace("://", "://somebody:wrong-password@");
    await expect(serveFrom(test.directory, wrong)).rejects.toThrow(
      /refuses the user or the password\. Change `?cache\.redis\.url/,
    );
  });
});
