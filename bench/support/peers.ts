import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type BenchServer, startServer } from "./processes.ts";

const CERBOS_VERSION = "0.51.0";

const root = join(import.meta.dirname, "../..");

/** One core for everything, the garbage collector included. */
const oneCore = { GOMAXPROCS: "1" };

/** `opa run --server` with the sources of the `platform` policy and the host's data. */
export function startPlatformOpa(port: number, folder: string): Promise<BenchServer> {
  const hostData = join(folder, "host-data.json");
  writeFileSync(hostData, JSON.stringify({ postern: { catalogue: { resources: {} } } }));
  return startOpa(port, [join(root, "policies/platform/platform.rego"), hostData]);
}

/** `opa run --server` with these files of Rego and data. */
export function startOpa(port: number, files: readonly string[]): Promise<BenchServer> {
  return startServer({
    name: "opa run",
    port,
    command: "opa",
    args: [
      ...["run", "--server", "--addr", `127.0.0.1:${port}`, "--log-level", "error"],
      ...["--disable-telemetry", ...files],
    ],
    env: oneCore,
  });
}

/** Cerbos with the roles of `platform` as its resource policies. */
export function startCerbos(port: number, folder: string): Promise<BenchServer> {
  const policies = join(folder, "cerbos");
  mkdirSync(policies, { recursive: true });
  for (const [resource, rules] of Object.entries(cerbosRules)) {
    writeFileSync(join(policies, `${resource}.yaml`), cerbosPolicy(resource, rules));
  }
  return startServer({
    name: "cerbos",
    port,
    command: cerbosBinary(),
    args: [
      ...["server", "--log-level", "error"],
      ...["--set", `storage.disk.directory=${policies}`],
      ...["--set", `server.grpcListenAddr=127.0.0.1:${port}`],
      ...["--set", `server.httpListenAddr=127.0.0.1:${port + 1}`],
      ...["--set", "telemetry.disabled=true"],
    ],
    env: oneCore,
  });
}

/** Resource → role → actions, as `catalogues/platform.yaml` has them. */
const cerbosRules: Record<string, Record<string, string[]>> = {
  agent: { admin: ["*"], developer: ["read", "execute"], user: ["read"] },
  workflow: {
    admin: ["*"],
    developer: ["read", "create", "update", "delete"],
    user: ["read"],
  },
  mesh: { admin: ["*"], developer: ["communicate"] },
  tracer: { admin: ["*"], developer: ["read"], user: ["read"] },
  mcp: { admin: ["*"], developer: ["connect"] },
  model: { admin: ["*"], "ml-engineer": ["train", "deploy"] },
};

function cerbosPolicy(resource: string, rules: Record<string, string[]>): string {
  const entries = Object.entries(rules).map(([role, actions]) => ({
    actions,
    effect: "EFFECT_ALLOW",
    roles: [role],
  }));
  // JSON is YAML.
  return JSON.stringify({
    apiVersion: "api.cerbos.dev/v1",
    resourcePolicy: { resource, version: "default", rules: entries },
  });
}

/**
 * The binary, which is its package's main file. Installed on demand, because only this benchmark
 * wants its 90 MB.
 */
function cerbosBinary(): string {
  const folder = join(root, "node_modules/.cache/peers");
  const name = `@cerbos/cerbos-${process.platform}-${process.arch}`;
  const require = createRequire(join(folder, "package.json"));
  try {
    return require.resolve(name);
  } catch {
    const args = ["install", "--no-save", "--prefix", folder, `${name}@${CERBOS_VERSION}`];
    const { status } = spawnSync("npm", args, { stdio: ["ignore", 2, 2] });
    if (status !== 0) throw new Error(`"npm ${args.join(" ")}" failed; its messages are above`);
    return require.resolve(name);
  }
}

/** A CheckResourcesRequest for one action on one agent (cerbos.request.v1), encoded by hand. */
export function cerbosRequest(principal: string, role: string, action: string): Buffer {
  const who = Buffer.concat([text(1, principal), text(2, "default"), text(3, role)]);
  const what = Buffer.concat([text(1, "agent"), text(2, "default"), text(3, "agent-7")]);
  const entry = Buffer.concat([text(1, action), message(2, what)]);
  return Buffer.concat([text(1, "1"), message(3, who), message(4, entry)]);
}

function text(field: number, value: string): Buffer {
  return message(field, Buffer.from(value));
}

function message(field: number, bytes: Buffer): Buffer {
  if (bytes.length > 127) throw new Error("longer than a length of one byte can say");
  return Buffer.concat([Buffer.from([(field << 3) | 2, bytes.length]), bytes]);
}
