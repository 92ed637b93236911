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
}

/** What Postern is to serve. */
export interface PosternSetup {
  readonly port: number;
  /** Text of a directory file. */
  readonly directory: string;
  /** Folder of bundles; the shipped ones unless given. */
  readonly bundles?: string;
  /** Environment of the server, besides this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts Postern with the defaults, and with `directory` applied before it serves. */
export async function startPostern(setup: PosternSetup): Promise<BenchPostern> {
  const folder = mkdtempSync(join(tmpdir(), "postern-bench-"));
  const file = (name: string) => join(folder, name);
  writeFileSync(file("directory.yaml"), setup.directory);
  writeFileSync(file("config.yaml"), configuration(setup, file));
  run(["directory", "apply", "--config", file("config.yaml"), file("directory.yaml")]);
  const server = await startServer({
    name: "postern",
    port: setup.port,
    command: process.execPath,
    args: [launcher, "serve", "--config", file("config.yaml")],
    env: setup.env ?? {},
  });
  return {
    ...server,
    folder,
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(setup: PosternSetup, file: (name: string) => string): string {
  return [
    `grpc: { listen: ["127.0.0.1:${setup.port}"] }`,
    `admin: { control_socket: ${file("control.sock")} }`,
    `directory: { database: sqlite:${file("directory.db")}, catalogues_folder: ${root}/catalogues }`,
    `bundle: { folder: ${setup.bundles ?? join(root, "bundles")}, last_good_folder: ${file("last")} }`,
    "telemetry: { diagnostics_enabled: false, log_level: error }",
    "pipeline: { trust: { loopback: { identity: true, mfa: true, ip: true, resource: true } } }",
    "",
  ].join("\n");
}

function run(args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...args], {
    encoding: "utf8",
    cwd: root,
  });
  if (status !== 0) throw new Error(`postern ${args.join(" ")} failed:\n${stdout}${stderr}`);
}
