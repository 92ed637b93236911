// A real Envoy that asks the real Postern over TLS with a certificate of its own, and one that asks
// over an abstract socket.
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { expect, it, onTestFinished } from "vitest";
import { startUpstream } from "../../support/echo-upstream.ts";
import { type EnvoyServer, startEnvoy } from "../../support/envoy.ts";
import type { EnvoySetup } from "../../support/envoy-bootstrap.ts";
import { httpCall } from "../../support/http-call.ts";
import { type Authority, makeAuthority, type TlsFiles } from "../../support/tls-files.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "../../support/workspace.ts";

const GATEWAY = "spiffe://example.org/gateway";
const RELOAD_INTERVAL_MS = 100;

/** A workspace with a policy for Envoy, in which no kind of caller is trusted. */
async function workspaceWith(env: Readonly<Record<string, string>>): Promise<Workspace> {
  const workspace = createWorkspace({ POSTERN_PIPELINE_TRUST_LOOPBACK_IDENTITY: "false", ...env });
  onTestFinished(() => workspace.remove());
  const build = ["bundle", "build", "examples/envoy/policy", "-o", "bundles/envoy.tar.gz"];
  expect((await workspace.postern(...build)).stderr).toBe("");
  return workspace;
}

async function serve(workspace: Workspace, listen: string): Promise<ServerProcess> {
  const server = await workspace.serve({ listen });
  onTestFinished(() => void server.stop());
  return server;
}

/** A workspace that serves on a `tls://` address to callers with a certificate of its authority. */
async function serveTls(): Promise<{ server: ServerProcess; authority: Authority; tls: string }> {
  const workspace = await workspaceWith({
    POSTERN_GRPC_TLS_CERTIFICATE_FILE: "tls/tls.crt",
    POSTERN_GRPC_TLS_KEY_FILE: "tls/tls.key",
    POSTERN_GRPC_TLS_CLIENT_CA_FILE: "tls/ca.crt",
    POSTERN_GRPC_TLS_RELOAD_INTERVAL_MS: String(RELOAD_INTERVAL_MS),
    POSTERN_PIPELINE_TRUST_CERTIFICATES: `{"${GATEWAY}": {identity: true}}`,
  });
  const authority = makeAuthority(join(workspace.folder, "authority"));
  const tls = join(workspace.folder, "tls");
  mkdirSync(tls);
  install(tls, authority.issue("first", { san: "DNS:localhost" }));
  copyFileSync(authority.ca, join(tls, "ca.crt"));
  return { server: await serve(workspace, "tls://127.0.0.1:0"), authority, tls };
}

/** Puts each file in place at once, one after the other. */
function install(tls: string, { certificate, key }: TlsFiles): void {
  for (const [from, name] of [
    [certificate, "tls.crt"],
    [key, "tls.key"],
  ] as const) {
    copyFileSync(from, join(tls, "aside"));
    renameSync(join(tls, "aside"), join(tls, name));
  }
}

async function envoyFor(server: ServerProcess, setup: Partial<EnvoySetup>): Promise<EnvoyServer> {
  const { port: upstreamPort } = await startUpstream();
  return startEnvoy({ pdp: [server.address], upstreamPort, statusOnError: 503, ...setup });
}

const asReader = { headers: { "x-caller": "reader" } };

it("trusts an Envoy by the SPIFFE ID of its certificate, and no other", async () => {
  const { server, authority } = await serveTls();
  const san = `URI:${GATEWAY}`;
  const gateway = await envoyFor(server, { pdpTls: authority.issue("gateway", { san }) });
  expect((await httpCall(gateway.port, asReader)).status).toBe(200);
  expect((await httpCall(gateway.port)).status).toBe(403);

  const other = authority.issue("other", { san: "URI:spiffe://example.org/other" });
  const untrusted = await envoyFor(server, { pdpTls: other, failureModeAllow: true });
  expect((await httpCall(untrusted.port, asReader)).status).toBe(403);

  const nobody = await envoyFor(server, { pdpTls: { ca: authority.ca } });
  expect((await httpCall(nobody.port, asReader)).status).toBe(503);
  await expect.poll(() => server.log.map((line) => line["reason"])).toContain("no-certificate");
});

it("answers every request while its certificate is replaced again and again", async () => {
  const { server, authority, tls } = await serveTls();
  const san = `URI:${GATEWAY}`;
  const envoy = await envoyFor(server, {
    pdpTls: authority.issue("gateway", { san }),
    pdpRequestsPerConnection: 20,
  });
  const changes = () =>
    server.log.filter(({ message }) => /^TLS files have changed/.test(String(message))).length;
  const statuses = new Set<number>();
  let isDone = false;
  const work = async (): Promise<void> => {
    while (!isDone) statuses.add((await httpCall(envoy.port, asReader)).status);
  };
  const workers = Array.from({ length: 8 }, work);
  for (let change = 1; change <= 5; change += 1) {
    install(tls, authority.issue(`renewed-${change}`, { san: "DNS:localhost" }));
    await expect.poll(changes, { timeout: 30_000 }).toBe(change);
  }
  isDone = true;
  await Promise.all(workers);
  expect([...statuses]).toEqual([200]);
  const inForce = new X509Certificate(readFileSync(join(tls, "tls.crt"))).serialNumber;
  expect(await serialNumberShown(server)).toBe(inForce);
});

/** Of the certificate that a new connection gets to see. */
async function serialNumberShown({ address }: ServerProcess): Promise<string> {
  const port = Number(address.split(":").at(-1));
  // Who shows no certificate is turned away, and sees the server's all the same.
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  const { serialNumber } = socket.getPeerX509Certificate()!;
  socket.destroy();
  return serialNumber;
}

it("is not served by a Postern whose certificate somebody else has signed", async () => {
  const { server, authority } = await serveTls();
  const files = authority.issue("gateway", { san: `URI:${GATEWAY}` });
  const { ca } = makeAuthority(join(files.certificate, "../../stranger"));
  const envoy = await envoyFor(server, { pdpTls: { ...files, ca } });
  expect((await httpCall(envoy.port, asReader)).status).toBe(503);
  await expect.poll(() => server.log.map((line) => line["reason"])).toContain("refused-by-peer");
});

it("answers over an abstract socket, and trusts it as it does a loopback address", async () => {
  const listen = `unix-abstract:postern-envoy-${process.pid}`;
  const trusted = { POSTERN_PIPELINE_TRUST_LOOPBACK_IDENTITY: "true" };
  const server = await serve(await workspaceWith(trusted), listen);
  expect(server.address).toBe(listen);
  const envoy = await envoyFor(server, {});
  expect((await httpCall(envoy.port, asReader)).status).toBe(200);
  await server.stop();

  const unix = { POSTERN_PIPELINE_TRUST_UNIX_IDENTITY: "true" };
  const wary = await serve(await workspaceWith(unix), listen);
  const refused = await envoyFor(wary, { failureModeAllow: true });
  expect((await httpCall(refused.port, asReader)).status).toBe(403);
});

it("does not start with a key that is not the certificate's, and says which", async () => {
  const workspace = await workspaceWith({
    POSTERN_GRPC_TLS_CERTIFICATE_FILE: "tls/tls.crt",
    POSTERN_GRPC_TLS_KEY_FILE: "tls/tls.key",
  });
  const authority = makeAuthority(join(workspace.folder, "authority"));
  const tls = join(workspace.folder, "tls");
  mkdirSync(tls);
  install(tls, { ...authority.issue("one"), key: authority.issue("two").key });
  await expect(serve(workspace, "tls://127.0.0.1:0")).rejects.toThrow(
    "Postern can't serve: grpc.tls.key_file (POSTERN_GRPC_TLS_KEY_FILE): tls/tls.key is not the " +
      "key of the first certificate in tls/tls.crt",
  );
});
