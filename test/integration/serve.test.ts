// The process as an operator has it: started, asked, broken at, and stopped.
import { once } from "node:events";
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DecisionService } from "../../src/grpc/gen/postern/v1/decision_pb.js";
import { createGrpcClient, failureOf, type GrpcClient } from "../support/grpc-client.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "../support/workspace.ts";

describe("postern serve", () => {
  let workspace: Workspace;
  let server: ServerProcess;
  let client: GrpcClient;

  beforeAll(async () => {
    workspace = createWorkspace();
    server = await workspace.serve();
    client = createGrpcClient(server.address);
  });
  afterAll(async () => {
    client.close();
    await server.stop();
    workspace.remove();
  });

  const check = (id: string, [type, action]: [string, string], application = "") =>
    client.call(DecisionService.method.check, {
      application,
      subject: { id },
      resource: { type },
      action: { name: action },
    });

  it("says in its log that the example subjects are examples", () => {
    const line = server.log.find(({ file }) => file === "examples/quickstart-directory.yaml");
    expect(line?.["message"]).toMatch(/Example subjects loaded/);
  });

  it("answers for both applications that ship", async () => {
    expect(await check("user-123", ["agent", "execute"])).toMatchObject({ allowed: true });
    expect(await check("viewer-1", ["Cluster", "Delete"], "gateway")).toMatchObject({
      allowed: false,
      reason: "missing:Cluster:Delete",
    });
  });

  it("notices what another process applies to the directory", async () => {
    const file = join(workspace.folder, "grant.yaml");
    writeFileSync(
      file,
      "applications: { platform: { assignments: " +
        "[{ subject: user-123, permissions: [compliance:report], grantedBy: admin-1, reason: trial }] } }",
    );
    expect(await check("user-123", ["compliance", "report"])).toMatchObject({ allowed: false });
    const applied = await workspace.postern("directory", "apply", file);
    expect(applied).toMatchObject({ status: 0 });
    await expect
      .poll(async () => (await check("user-123", ["compliance", "report"])).allowed, {
        timeout: 5_000,
      })
      .toBe(true);
  });

  it("keeps serving the old revision when a broken bundle lands, and says so", async () => {
    const before = await check("user-123", ["agent", "execute"]);
    writeFileSync(join(workspace.folder, "bundles/platform.tar.gz"), "not a bundle");
    await expect
      .poll(async () => (await workspace.postern("bundle", "list")).stdout, { timeout: 15_000 })
      .toMatch(/platform\s+active \(update refused\)/);
    const after = await check("user-123", ["agent", "execute"]);
    expect(after).toMatchObject({ allowed: true, revision: before.revision });
    const ready = await fetch(`${server.diagnostics}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.text()).toContain("degraded");
  });

  it("serves the last good bundle after a restart over the broken one", async () => {
    const revision = (await check("user-123", ["agent", "execute"])).revision;
    client.close();
    expect(await server.stop()).toBe(0);
    server = await workspace.serve();
    client = createGrpcClient(server.address);
    expect(await check("user-123", ["agent", "execute"])).toMatchObject({
      allowed: true,
      revision,
    });
  });

  it("leaves what an operator changed as it is, examples or not", async () => {
    expect(await check("user-123", ["compliance", "report"])).toMatchObject({ allowed: true });
    const left = server.log.find(({ files }) => files !== undefined);
    expect(left?.["message"]).toMatch(/Example subjects left out/);
  });

  it("takes a bundle of one's own while it runs, and lets go of it on request", async () => {
    const bundle = join(workspace.folder, "bundles/billing.tar.gz");
    const built = await workspace.postern("bundle", "build", "examples/billing", "-o", bundle);
    expect(built).toMatchObject({ status: 0, stderr: "" });
    await expect
      .poll(() => check("user-123", ["invoice", "read"], "billing").catch(() => undefined), {
        timeout: 15_000,
      })
      .toMatchObject({ application: "billing" });

    rmSync(bundle);
    await expect
      .poll(async () => (await workspace.postern("bundle", "list")).stdout, { timeout: 15_000 })
      .toMatch(/billing\s+active \(file deleted\)/);
    expect((await check("user-123", ["invoice", "read"], "billing")).application).toBe("billing");
    expect(await workspace.postern("bundle", "remove", "billing")).toMatchObject({ status: 0 });
    const gone = await failureOf(check("user-123", ["invoice", "read"], "billing"));
    expect(gone.code).toBe(status.NOT_FOUND);
  });

  it("keeps its control socket to its own user", () => {
    expect(statSync(join(workspace.folder, "state/control.sock")).mode & 0o777).toBe(0o600);
  });

  it("refuses to start twice on one control socket, and says why", async () => {
    const second = await workspace.postern("serve", "--config", "examples/quickstart.yaml");
    expect(second.status).toBe(2);
    expect(second.stdout).toMatch(/control\.sock/);
    // It has looked, and touched nothing.
    expect(second.stdout).not.toMatch(/activated|loaded/);
  });

  it("shows metrics that explain what happened", async () => {
    const text = await (await fetch(`${server.diagnostics}/metrics`)).text();
    expect(text).toMatch(
      /^postern_decisions_total\{application="platform",allowed="true".*\} \d+/m,
    );
    expect(text).toMatch(/^postern_grpc_/m);
  });

  it("drains when the whole process group is told to stop", async () => {
    // The launcher passes on what its child has got from the terminal already.
    const group = await workspace.serve({ state: "group", ownGroup: true });
    process.kill(-group.process.pid!, "SIGINT");
    const [exitStatus] = await once(group.process, "exit");
    expect(exitStatus).toBe(0);
    expect(group.log.at(-1)?.["message"]).toBe("Stopped.");
  });

  it("ends with status 0 at SIGINT, and takes its socket with it", async () => {
    server.process.kill("SIGINT");
    const [exitStatus] = await once(server.process, "exit");
    expect(exitStatus).toBe(0);
    expect(existsSync(join(workspace.folder, "state/control.sock"))).toBe(false);
  });
});
