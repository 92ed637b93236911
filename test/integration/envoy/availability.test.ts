// Envoy's requests while Postern's bundle is replaced, and while its processes are: none is answered
// otherwise than it should be.
import { cpSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { EchoedRequest } from "../../support/echo-upstream.ts";
import { startUpstream } from "../../support/echo-upstream.ts";
import { startEnvoy } from "../../support/envoy.ts";
import { createWorkspace, type Workspace } from "../../support/workspace.ts";

const REQUESTS = 20_000;
const AT_ONCE = 16;

/** A workspace with an application `envoy` that allows everything, in these versions. */
async function workspaceWith(...versions: readonly string[]): Promise<Workspace> {
  const workspace = createWorkspace({ POSTERN_GRPC_DRAIN_DELAY_MS: "1000" });
  onTestFinished(() => workspace.remove());
  for (const version of versions) {
    const folder = join(workspace.folder, `policy-${version}`);
    mkdirSync(folder);
    const answer = `{"allowed": true, "headers": {"x-version": "${version}"}}`;
    writeFileSync(join(folder, "authz.rego"), `package envoy.authz\n\nallow := ${answer}\n`);
    const output = join(workspace.folder, `envoy-${version}.tar.gz`);
    const { stderr } = await workspace.postern("bundle", "build", folder, "-o", output);
    expect(stderr).toBe("");
  }
  install(workspace, versions[0]!);
  return workspace;
}

/** Puts a version in place at once, as a deployment does. */
function install({ folder }: Workspace, version: string): void {
  const aside = join(folder, "envoy.tmp");
  cpSync(join(folder, `envoy-${version}.tar.gz`), aside);
  renameSync(aside, join(folder, "bundles/envoy.tar.gz"));
}

/** What became of the requests: how many were answered how. */
type Answers = Map<string, number>;

/** Sends requests, some at a time, and calls back after each thousandth answer. */
async function send(port: number, thousand: (count: number) => void): Promise<Answers> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const answers: Answers = new Map();
  let [begun, ended] = [0, 0];
  const worker = async (): Promise<void> => {
    while (begun < REQUESTS) {
      begun += 1;
      const answer = await ask(port, agent);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
      ended += 1;
      if (ended % 1_000 === 0) thousand(ended / 1_000);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  agent.destroy();
  return answers;
}

/** The status, and the version that reached the upstream. */
function ask(port: number, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    const call = request({ host: "127.0.0.1", port, agent, path: "/" }, async (response) => {
      let body = "";
      for await (const chunk of response) body += chunk;
      if (response.statusCode !== 200) return resolve(`${response.statusCode} ${body}`);
      const { headers } = JSON.parse(body) as EchoedRequest;
      resolve(`200 version ${headers.find(([name]) => name === "x-version")?.[1]}`);
    });
    call.on("error", (error) => resolve(error.message));
    call.end();
  });
}

describe("requests through Envoy", { timeout: 300_000 }, () => {
  it("are all answered while the bundle is replaced again and again", async () => {
    const workspace = await workspaceWith("1", "2");
    const server = await workspace.serve();
    onTestFinished(() => void server.stop());
    const upstream = await startUpstream();
    const envoy = await startEnvoy({ pdp: [server.address], upstreamPort: upstream.port });
    const answers = await send(envoy.port, (count) => {
      if (count % 4 === 0) install(workspace, count % 8 === 0 ? "1" : "2");
    });
    expect([...answers.keys()].sort()).toEqual(["200 version 1", "200 version 2"]);
  });

  it("are all answered while one process after the other is replaced", async () => {
    const workspace = await workspaceWith("1");
    const servers = [
      await workspace.serve({ state: "one" }),
      await workspace.serve({ state: "two" }),
    ];
    onTestFinished(async () => {
      for (const server of servers) await server.stop();
    });
    const upstream = await startUpstream();
    const addresses = servers.map(({ address }) => address);
    const envoy = await startEnvoy({
      ...{ pdp: addresses, upstreamPort: upstream.port },
      // A check that fails is told from one that is denied.
      ...{ healthIntervalMs: 100, retries: 3, statusOnError: 503 },
    });
    let restarts = Promise.resolve();
    const restart = async (which: number, state: string): Promise<void> => {
      expect(await servers[which]!.stop()).toBe(0);
      servers[which] = await workspace.serve({ state, listen: addresses[which]! });
    };
    const answers = await send(envoy.port, (count) => {
      if (count === 4) restarts = restarts.then(() => restart(0, "one"));
      if (count === 12) restarts = restarts.then(() => restart(1, "two"));
    });
    await restarts;
    expect(Object.fromEntries(answers)).toEqual({ "200 version 1": REQUESTS });
  });
});
