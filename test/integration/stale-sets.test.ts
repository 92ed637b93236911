// A real PostgreSQL is killed, and the operator lets sets be used beyond their time meanwhile.
import { status } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished } from "vitest";
import { DecisionService } from "../../src/grpc/gen/postern/v1/decision_pb.js";
import { createGrpcClient } from "../support/grpc-client.ts";
import { startPostgres } from "../support/postgres.ts";
import { createWorkspace } from "../support/workspace.ts";

const PATIENCE = { timeout: 20_000, interval: 50 };

describe("cache.stale_for_ms", () => {
  it("answers and says so while the directory is away, for its time, and no more", async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.dispose());
    const workspace = createWorkspace({
      POSTERN_DIRECTORY_DATABASE: await postgres.createDatabase(),
      POSTERN_CACHE_TTL_MS: "500",
      POSTERN_CACHE_STALE_FOR_MS: "6000",
    });
    onTestFinished(() => workspace.remove());
    const server = await workspace.serve();
    onTestFinished(async () => {
      await server.stop();
    });
    const client = createGrpcClient(server.address);
    onTestFinished(() => client.close());
    const check = () =>
      client.call(DecisionService.method.check, {
        subject: { id: "user-123" },
        resource: { type: "agent" },
        action: { name: "execute" },
      });
    const outcome = () =>
      check().then(
        ({ allowed, stalenessMs }) => ({ allowed, isStale: stalenessMs > 0n }),
        ({ code }) => code,
      );

    expect(await check()).toMatchObject({ allowed: true, stalenessMs: 0n });
    await postgres.kill("SIGKILL");
    await expect.poll(outcome, PATIENCE).toEqual({ allowed: true, isStale: true });
    const asked = await workspace.postern("check", "user-123", "agent:execute");
    expect(asked).toMatchObject({ status: 0, stderr: "" });
    expect(asked.stdout).toMatch(/^allow .* stale: last known \d+\.\d s ago$/m);
    const shown = await workspace.postern("cache", "show", "user-123");
    expect(shown.stdout).toMatch(/^platform +memory +active .*stale: used only/m);
    const metrics = await (await fetch(`${server.diagnostics}/metrics`)).text();
    expect(metrics).toMatch(/^postern_stale_sets_total [1-9]/m);
    expect(server.log.map(({ message }) => message)).toContain(
      "Answering from permission sets beyond their time: the directory can't be read.",
    );

    await expect.poll(outcome, PATIENCE).toBe(status.UNAVAILABLE);
    await postgres.start();
    await expect.poll(outcome, PATIENCE).toEqual({ allowed: true, isStale: false });
  });
});
