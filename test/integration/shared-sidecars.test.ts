// Two sidecars, one PostgreSQL, one Redis: all of them real, and taken away one after the other.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished } from "vitest";
import { DecisionService } from "../../src/grpc/gen/postern/v1/decision_pb.js";
import { createGrpcClient, failureOf } from "../support/grpc-client.ts";
import { startPostgres } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "../support/workspace.ts";

/** What a change may take to be in force everywhere; the promise itself is for the benchmark. */
const IN_FORCE = { timeout: 10_000, interval: 20 };

async function startWorld() {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.dispose());
  const redis = await startRedis();
  const workspace = createWorkspace({
    POSTERN_DIRECTORY_DATABASE: await postgres.createDatabase(),
    POSTERN_CACHE_REDIS_URL: redis.url,
  });
  onTestFinished(() => workspace.remove());
  const sidecars = [await startSidecar(workspace, "one"), await startSidecar(workspace, "two")];
  return { postgres, redis, workspace, sidecars: sidecars as [Sidecar, Sidecar] };
}

type Sidecar = Awaited<ReturnType<typeof startSidecar>>;

async function startSidecar(workspace: Workspace, state: string) {
  const server = await workspace.serve({ state });
  onTestFinished(async () => {
    await server.stop();
  });
  const client = createGrpcClient(server.address);
  onTestFinished(() => client.close());
  const check = (subject: string) =>
    client.call(DecisionService.method.check, {
      subject: { id: subject },
      resource: { type: "compliance" },
      action: { name: "report" },
    });
  const allows = async (subject: string) => (await check(subject)).allowed;
  return { check, allows, metric: (name: string) => metricOf(server, name) };
}

async function metricOf({ diagnostics }: ServerProcess, name: string): Promise<number> {
  const text = await (await fetch(`${diagnostics}/metrics`)).text();
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}

/** Gives a subject the one permission that is asked about, or takes it away. */
async function change(workspace: Workspace, subject: string, remove: boolean): Promise<void> {
  const file = join(workspace.folder, "change.yaml");
  const grant = `subject: ${subject}, permissions: [compliance:report]`;
  const how = remove ? "remove: true" : "grantedBy: admin-1, reason: trial";
  writeFileSync(file, `applications: { platform: { assignments: [{ ${grant}, ${how} }] } }`);
  expect(await workspace.postern("directory", "apply", file)).toMatchObject({ status: 0 });
}

describe("sidecars that share a directory and a Redis", () => {
  it("share sets, and deny on all of them what is revoked on one", async () => {
    const { workspace, sidecars } = await startWorld();
    const [one, two] = sidecars;
    await change(workspace, "user-123", false);
    await expect.poll(() => one.allows("user-123"), IN_FORCE).toBe(true);
    await expect.poll(() => two.allows("user-123"), IN_FORCE).toBe(true);
    // On a busy machine Redis may not answer in its 20 ms, and the directory does instead.
    let strangers = 0;
    const sharedSets = async (): Promise<number> => {
      const stranger = `stranger-${strangers++}`;
      for (const { check } of sidecars) await check(stranger);
      return two.metric("postern_redis_hits_total");
    };
    await expect.poll(sharedSets, IN_FORCE).toBeGreaterThan(0);
    await change(workspace, "user-123", true);
    for (const { allows } of sidecars) {
      await expect.poll(() => allows("user-123"), IN_FORCE).toBe(false);
    }
    const show = ["cache", "show", "user-123", "--socket", "one/control.sock"];
    const shown = async (): Promise<string> => {
      await one.check("user-123");
      const { status: exitStatus, stdout, stderr } = await workspace.postern(...show);
      expect({ exitStatus, stderr }).toEqual({ exitStatus: 0, stderr: "" });
      return stdout;
    };
    await expect.poll(shown, IN_FORCE).toMatch(/^platform +memory +active/m);
  });

  it("go on without Redis, revocations included, and use it again when it is back", async () => {
    const { workspace, redis, sidecars } = await startWorld();
    await change(workspace, "user-123", false);
    for (const { allows } of sidecars) {
      await expect.poll(() => allows("user-123"), IN_FORCE).toBe(true);
    }
    await redis.kill();
    for (const { check } of sidecars) {
      expect(await check("user-123")).toMatchObject({ allowed: true });
      // Nobody has asked about this one: it comes from the directory.
      expect(await check("viewer-1")).toMatchObject({ reason: "missing:compliance:report" });
    }
    await change(workspace, "user-123", true);
    for (const { allows } of sidecars) {
      await expect.poll(() => allows("user-123"), IN_FORCE).toBe(false);
    }
    await redis.restart();
    for (const { metric } of sidecars) {
      await expect.poll(() => metric("postern_change_channel_trusted"), IN_FORCE).toBe(1);
    }
    for (const { allows } of sidecars) expect(await allows("user-123")).toBe(false);
  });

  it("answer from memory without PostgreSQL, and say UNAVAILABLE beyond", async () => {
    const { postgres, sidecars } = await startWorld();
    const [one] = sidecars;
    expect(await one.check("user-123")).toMatchObject({ allowed: false });
    await postgres.kill("SIGKILL");
    expect(await one.check("user-123")).toMatchObject({ allowed: false });
    const failure = await failureOf(one.check("viewer-1"));
    expect(failure.code).toBe(status.UNAVAILABLE);
    await postgres.start();
    await expect
      .poll(
        () =>
          one.check("viewer-1").then(
            ({ reason }) => reason,
            () => "error",
          ),
        IN_FORCE,
      )
      .toBe("missing:compliance:report");
  });
});
