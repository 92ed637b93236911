// What Envoy makes of a Postern that can't answer, with `failure_mode_allow` on and off: nobody who may
// not pass does so where Postern answers at all.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type EchoUpstream, openUpstream } from "../../support/echo-upstream.ts";
import { type EnvoyServer, startEnvoy } from "../../support/envoy.ts";
import { httpCall } from "../../support/http-call.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "../../support/workspace.ts";

const AT_ONCE = 40;
const ROUTE = { route: "POST /agents/{id}/run", permission: "agent:execute" };

let upstream: EchoUpstream;
beforeAll(async () => {
  upstream = await openUpstream();
});
afterAll(() => upstream?.close());

interface Scene {
  readonly workspace: Workspace;
  readonly server: ServerProcess;
  readonly envoy: EnvoyServer;
}

/** Postern with a table of one route, and an Envoy before it. */
async function startScene(
  failureModeAllow: boolean,
  env: Readonly<Record<string, string>> = {},
): Promise<Scene> {
  const workspace = createWorkspace({
    POSTERN_EXT_AUTHZ_DECIDE: "rbac",
    POSTERN_EXT_AUTHZ_RBAC_SUBJECT: JSON.stringify([{ from: "header/x-user" }]),
    POSTERN_EXT_AUTHZ_RBAC_ROUTES: JSON.stringify([ROUTE]),
    ...env,
  });
  onTestFinished(() => workspace.remove());
  const server = await workspace.serve();
  onTestFinished(async () => {
    const { exitCode, signalCode } = server.process;
    if (exitCode === null && signalCode === null) await server.stop();
  });
  const setup = { pdp: [server.address], upstreamPort: upstream.port, timeoutMs: 1_000 };
  const envoy = await startEnvoy({ ...setup, failureModeAllow, statusOnError: 503 });
  return { workspace, server, envoy };
}

async function statusFor(user: string, { envoy }: Scene): Promise<number> {
  const question = { method: "POST", path: "/agents/a1/run", headers: { "x-user": user } };
  return (await httpCall(envoy.port, question)).status;
}

/** Who may pass does, and who may not does not. */
async function expectDecisions(scene: Scene): Promise<void> {
  expect(await statusFor("nobody", scene)).toBe(403);
  expect(await statusFor("user-123", scene)).toBe(200);
}

describe.each([
  { failureModeAllow: false, onFailure: 503 },
  { failureModeAllow: true, onFailure: 200 },
])("with failure_mode_allow $failureModeAllow", ({ failureModeAllow, onFailure }) => {
  it(`gives ${onFailure} while Postern is killed, and decisions once it is back`, async () => {
    const scene = await startScene(failureModeAllow);
    await expectDecisions(scene);
    const { process, address } = scene.server;
    process.kill("SIGKILL");
    await expect.poll(() => process.signalCode).toBe("SIGKILL");
    for (const user of ["nobody", "user-123"]) expect(await statusFor(user, scene)).toBe(onFailure);
    const server = await scene.workspace.serve({ listen: address });
    onTestFinished(async () => void (await server.stop()));
    await expect.poll(() => statusFor("nobody", scene), { timeout: 10_000 }).toBe(403);
    await expectDecisions(scene);
  });

  it(`gives ${onFailure} while Postern stands still, and decisions once it goes on`, async () => {
    const scene = await startScene(failureModeAllow);
    await expectDecisions(scene);
    const { process } = scene.server;
    process.kill("SIGSTOP");
    try {
      for (const user of ["nobody", "user-123"]) {
        expect(await statusFor(user, scene)).toBe(onFailure);
      }
    } finally {
      process.kill("SIGCONT");
    }
    await expect.poll(() => statusFor("nobody", scene), { timeout: 10_000 }).toBe(403);
    await expectDecisions(scene);
  });

  it(`decides on while Postern drains, and gives ${onFailure} once it is gone`, async () => {
    const scene = await startScene(failureModeAllow, { POSTERN_GRPC_DRAIN_DELAY_MS: "2000" });
    await expectDecisions(scene);
    const stopped = scene.server.stop();
    await expectDecisions(scene);
    expect(await stopped).toBe(0);
    expect(await statusFor("nobody", scene)).toBe(onFailure);
  });

  it(`gives ${onFailure} to what is too much for Postern, and decides about the rest`, async () => {
    const scene = await startScene(failureModeAllow, { POSTERN_GRPC_CALLS_MAX: "1" });
    // Each is somebody whom Postern has to look up, which takes a moment.
    const strangers = Array.from({ length: AT_ONCE }, (_, index) => `stranger-${index}`);
    const statuses = await Promise.all(strangers.map((user) => statusFor(user, scene)));
    expect([...new Set(statuses)].sort()).toEqual([onFailure, 403].sort());
    await expectDecisions(scene);
  });
});
