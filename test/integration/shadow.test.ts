// Candidates beside the bundles in force: both built by the real opa, in a real server, with the real
// Envoy before it.
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { RefusedCandidate, ShadowReport } from "../../src/pipeline/shadow-report.ts";
import { type EchoUpstream, openUpstream } from "../support/echo-upstream.ts";
import { type EnvoyServer, openEnvoy } from "../support/envoy.ts";
import { httpCall } from "../support/http-call.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "../support/workspace.ts";

const soon = { timeout: 20_000, interval: 100 };

let workspace: Workspace;
let server: ServerProcess;
let upstream: EchoUpstream;
let envoy: EnvoyServer;

/** Builds a bundle of a policy of this repository, with changes to its text. */
async function build(source: string, output: string, changes: Readonly<Record<string, string>>) {
  const folder = join(workspace.folder, "sources", output);
  await cp(source, folder, { recursive: true });
  const path = join(folder, source.startsWith("examples") ? "authz.rego" : "platform.rego");
  let text = await readFile(path, "utf8");
  for (const [from, to] of Object.entries(changes)) {
    expect(text).toContain(from);
    text = text.replaceAll(from, to);
  }
  await writeFile(path, text);
  const made = await workspace.postern("bundle", "build", folder, "-o", output);
  expect(made.stderr).toBe("");
}

/** A change after which nobody may do this. */
function closing(action: string): Readonly<Record<string, string>> {
  const before = "default allow := false\n";
  return { [before]: `${before}\ndeny contains "closed" if input.action == "${action}"\n` };
}

/** Rules that contradict each other, on which an evaluation fails. */
const twoValues = [1, 2]
  .map((n) => `allow := {"allowed": true, "n": ${n}} if http.method == "PUT"\n`)
  .join("\n");

beforeAll(async () => {
  workspace = createWorkspace({
    POSTERN_BUNDLE_CANDIDATES_FOLDER: "candidates",
    POSTERN_PIPELINE_SHADOW_TIME_RATIO: "0.5",
  });
  await mkdir(join(workspace.folder, "candidates"));
  await build("examples/envoy/policy", "bundles/envoy.tar.gz", {});
  await build("examples/envoy/policy", "candidates/envoy.tar.gz", {
    '"x-user": caller': '"x-user": upper(caller)',
    'http.method == "GET"': 'http.method in {"GET", "HEAD"}',
    "# The editor may write": `${twoValues}\n# The editor may write`,
  });
  await build("policies/platform", "candidates/platform.tar.gz", closing("execute"));
  await writeFile(join(workspace.folder, "candidates/gateway.tar.gz"), "no bundle");
  server = await workspace.serve();
  upstream = await openUpstream();
  envoy = await openEnvoy({ pdp: [server.address], upstreamPort: upstream.port });
  await vi.waitFor(async () => expect(await reports()).toHaveLength(3), soon);
});
afterAll(async () => {
  await envoy?.close();
  upstream?.close();
  await server?.stop();
  workspace?.remove();
});

async function reports(): Promise<readonly (ShadowReport | RefusedCandidate)[]> {
  const { stdout, stderr } = await workspace.postern("shadow", "report", "--json");
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

async function reportOf(application: string): Promise<ShadowReport> {
  return (await reports()).find((one) => one.application === application) as ShadowReport;
}

/** How many decisions the server has counted for Envoy. */
async function decisionsMade(): Promise<number> {
  const metrics = await (await fetch(`${server.diagnostics}/metrics`)).text();
  const counts = metrics.matchAll(/^postern_decisions_total\{application="envoy",.*\} (\d+)$/gm);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Asks the server about a permission; 0 = it is allowed. */
async function check(...args: string[]): Promise<number | null> {
  return (await workspace.postern("check", ...args)).status;
}

describe("a candidate", () => {
  it("decides what is checked, and answers nothing", async () => {
    expect(await check("user-123", "agent:execute")).toBe(0);
    expect(await check("user-123", "agent:read")).toBe(0);
    await expect
      .poll(async () => (await reportOf("platform")).counts, soon)
      .toMatchObject({ same: 1, "newly-denied": 1, "newly-allowed": 0, dropped: 0 });
    const { differences, active, candidate } = await reportOf("platform");
    expect(differences).toMatchObject([
      {
        ...{ kind: "newly-denied", count: 1, active: { reason: "permission:agent:execute" } },
        candidate: { allowed: false, reason: "deny:closed" },
        examples: [{ request: { subject: "user:user-123", permission: "agent:execute" } }],
      },
    ]);
    expect(candidate.digest).not.toBe(active!.digest);
  });

  it("decides what Envoy asks, and is compared by its headers, too", async () => {
    const ask = (method: string, path: string) =>
      httpCall(envoy.port, { method, path, headers: { "x-caller": "reader", cookie: "s3cret" } });
    expect((await ask("GET", "/articles?token=s3cret")).status).toBe(200);
    expect((await ask("HEAD", "/articles")).status).toBe(403);
    expect((await ask("DELETE", "/articles")).status).toBe(403);
    expect((await ask("PUT", "/articles")).status).toBe(403);
    await expect
      .poll(async () => (await reportOf("envoy")).counts, soon)
      .toMatchObject({ same: 1, changed: 1, "newly-allowed": 1, failed: 1 });
    const report = await reportOf("envoy");
    const document = "envoy/authz/allow";
    expect(report.differences).toMatchObject([
      {
        differs: ["headers"],
        examples: [{ request: { document, method: "GET", path: "/articles" } }],
      },
      { differs: [], examples: [{ request: { document, method: "HEAD", path: "/articles" } }] },
      { kind: "failed", candidate: { allowed: false, reason: "indeterminate:conflict" } },
    ]);
    expect(JSON.stringify(report)).not.toContain("s3cret");
  });

  it("hears nothing of what is tried out, which counts for no decision", async () => {
    const path = "/articles?tried";
    const headers = { "x-caller": "reader" };
    const file = join(workspace.folder, "check.json");
    await writeFile(
      file,
      JSON.stringify({ attributes: { request: { http: { method: "GET", path, headers } } } }),
    );
    const before = { counts: (await reportOf("envoy")).counts, made: await decisionsMade() };
    const tried = await workspace.postern("envoy", "try", file, "--socket", "state/control.sock");
    expect([tried.status, tried.stdout]).toEqual([0, expect.stringContaining("policy:allow")]);
    // Candidates come in the order of the decisions, so that this one comes last.
    expect((await httpCall(envoy.port, { method: "GET", path, headers })).status).toBe(200);
    const changed = before.counts.changed + 1;
    await expect
      .poll(async () => (await reportOf("envoy")).counts.changed, soon)
      .toBeGreaterThanOrEqual(changed);
    expect((await reportOf("envoy")).counts).toEqual({ ...before.counts, changed });
    expect(await decisionsMade()).toBe(before.made + 1);
  });

  it("that is no bundle is refused, and harms nobody", async () => {
    const refused = (await reports()).find((one) => one.application === "gateway");
    expect(refused).toMatchObject({ state: "refused", stage: "container" });
    const ready = await fetch(`${server.diagnostics}/readyz`);
    expect(ready.status).toBe(200);
  });

  it("is told of in the metrics, and in lines for people", async () => {
    const metrics = await (await fetch(`${server.diagnostics}/metrics`)).text();
    const name = "postern_shadow_evaluations_total";
    expect(metrics).toContain(`${name}{application="platform",result="different"} 1`);
    const { stdout } = await workspace.postern("shadow", "report", "--application", "platform");
    expect(stdout).toMatch(/#1 +1 +newly denied +allow permission:agent:execute +deny deny:closed/);
  });

  it("is forgotten when its file goes, and counted anew when another comes", async () => {
    const path = join(workspace.folder, "candidates/platform.tar.gz");
    await rm(path);
    await expect.poll(() => reportOf("platform"), soon).toBeUndefined();
    await cp(join(workspace.folder, "bundles/platform.tar.gz"), path);
    await expect.poll(() => reportOf("platform"), soon).toMatchObject({ state: "identical" });
    await build("policies/platform", "candidates/platform.tar.gz", closing("write"));
    await expect
      .poll(() => reportOf("platform"), soon)
      .toMatchObject({ state: "comparing", counts: { same: 0, "newly-denied": 0 } });
  });
});
