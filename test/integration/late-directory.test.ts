// A server that was started without its directory shares sets through Redis once it knows whose.
import { describe, expect, it, onTestFinished } from "vitest";
import { PdpError } from "../../src/decision/error.ts";
import { startRedis } from "../support/redis.ts";
import { serveSets } from "../support/served-sets.ts";
import { openTestDirectory } from "../support/test-directory.ts";

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
    const served = await serveSets({ ...test.directory, identity }, server.url);
    expect(await served.ask("alice")).toMatchObject({ status: "active" });
    expect(await served.inRedis("alice")).toMatchObject({ miss: "untrusted" });
    expect(await served.inspection.purge("alice")).toBe(false);
    isAway = false;
    await expect
      .poll(() => served.inRedis("alice"), { timeout: 10_000 })
      .toMatchObject({ miss: "absent" });
    expect(await served.inspection.purge("alice")).toBe(true);
    await served.ask("alice");
    await expect.poll(() => served.inRedis("alice")).toMatchObject({ status: "active" });
  });

  it("refuses to start with a Redis that can't be used, although the directory is sound", async () => {
    const server = await startRedis();
    const test = await openTestDirectory();
    onTestFinished(() => test.dispose());
    const wrong = server.url.replace("://", "://somebody:wrong-password@");
    await expect(serveSets(test.directory, wrong)).rejects.toThrow(
      /refuses the user or the password\. Change `?cache\.redis\.url/,
    );
  });
});
