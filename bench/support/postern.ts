import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchServer, startServer } from "./processes.ts";

const root = join(import.meta.dirname, "../..");
const launcher = join(root, "bin/postern.js");

/** Postern under test, in a folder of its own that goes with it. */
export interface BenchPostern extends BenchServer {
  readonly folder: string;
  /** Path of its configuration. */
  readonly config: string;
}

/** What Postern is to serve. */
export interface PosternSetup {
  readonly port: number;
  /** Text of a directory file that is applied before it serves. */
  readonly directory?: string;
  /** URL of the directory's database; SQLite in the server's folder unless given. */
  readonly database?: string;
  /** URL of the Redis through which sidecars share; none unless given. */
  readonly redis?: string;
  /** Further options of `cache`, as YAML members. */
  readonly cache?: string;
  /** Folder of bundles; the shipped ones unless given. */
  readonly bundles?: string;
  /** Of metrics; none unless given. */
  readonly diagnosticsPort?: number;
  /** As for `startServer`. */
  readonly onAnyCore?: boolean;
  /** Environment of the server, besides this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts Postern with the defaults but for what the setup says. */
export async function startPostern(setup: PosternSetup): Promise<BenchPostern> {
  const folder = mkdtempSync(join(tmpdir(), "postern-bench-"));
  const file = (name: string) => join(folder, name);
  const config = file("config.yaml");
  writeFileSync(config, configuration(setup, file));
  if (setup.directory !== undefined) {
    writeFileSync(file("directory.yaml"), setup.directory);
    runPostern(["directory", "apply", "--config", config, file("directory.yaml")]);
  }
  const server = await startServer({
    name: "postern",
    port: setup.port,
    command: process.execPath,
    args: [launcher, "serve", "--config", config],
    env: setup.env ?? {},
    onAnyCore: setup.onAnyCore ?? false,
  });
  return {
    ...server,
    folder,
    config,
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(setup: PosternSetup, file: (name: string) => string): string {
  const database = setup.database ?? `sqlite:${file("directory.db")}`;
  const redis = setup.redis === undefined ? "" : `redis: { url: "${setup.redis}" }`;
  const { diagnosticsPort: port } = setup;
  const diagnostics =
    port === undefined ? "diagnostics_enabled: false" : `diagnostics_port: ${port}`;
  const cache = [redis, setup.cache ?? ""].filter((text) => text !== "").join(", ");
  return [
    `grpc: { listen: ["127.0.0.1:${setup.port}"] }`,
    `admin: { control_socket: ${file("control.sock")} }`,
    `directory: { database: "${database}", catalogues_folder: ${root}/catalogues }`,
    ...(cache === "" ? [] : [`cache: { ${cache} }`]),
    `bundle: { folder: ${setup.bundles ?? join(root, "bundles")}, last_good_folder: ${file("last")} }`,
    `telemetry: { ${diagnostics}, log_level: error }`,
    "pipeline: { trust: { loopback: { identity: true, mfa: true, ip: true, resource: true } } }",
    "",
  ].join("\n");
}

/** Runs a command of Postern's; throws what it says if it fails. */
export function runPostern(args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...args], {
    encoding: "utf8",
    cwd: root,
  });
  if (status !== 0) throw new Error(`postern ${args.join(" ")} failed:\n${stdout}${stderr}`);
}
