import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { projectRoot } from "./source-files.ts";

/** How a command ended, and what it said. */
export interface CommandRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A server that runs as a process of its own and is ready. */
export interface ServerProcess {
  /** Where gRPC listens. */
  readonly address: string;
  /** The diagnostics port, `http://host:port`. */
  readonly diagnostics: string;
  /** What it has logged so far, a line each. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  readonly process: ChildProcess;
  /** Sends SIGTERM and waits; gives the exit status. */
  stop(): Promise<number | null>;
}

/** How a server is started, where it isn't the one of the workspace. */
export interface ServeSetup {
  /** Folder of its state, inside the workspace. */
  readonly state?: string;
  /** Where gRPC is to listen; a free port unless given. */
  readonly listen?: string;
  /** A configuration of the workspace, which says itself where its state is; else the quickstart's. */
  readonly config?: string;
  /** In a process group of its own, as a shell starts it. */
  readonly ownGroup?: boolean;
}

/** A copy of what a user sees of a checkout, in a folder of its own. */
export interface Workspace {
  readonly folder: string;
  /** Runs `postern` in the folder, through the launcher. */
  postern(...args: string[]): Promise<CommandRun>;
  /** Starts `postern serve`, with `--config examples/quickstart.yaml` unless said, on free ports. */
  serve(setup?: ServeSetup): Promise<ServerProcess>;
  remove(): void;
}

const launcher = join(projectRoot, "bin/postern.js");

/** Ports of a test's own; everything else as configured. */
const environment = {
  ...process.env,
  POSTERN_GRPC_LISTEN: "127.0.0.1:0",
  POSTERN_TELEMETRY_DIAGNOSTICS_PORT: "0",
};

/**
 * Copies examples, bundles and catalogues; the sources stay where they are. `env` holds for every
 * process that is started in it, and above all else.
 */
export function createWorkspace(env: Readonly<Record<string, string>> = {}): Workspace {
  const folder = mkdtempSync(join(tmpdir(), "postern-workspace-"));
  for (const name of ["examples", "bundles", "catalogues"]) {
    cpSync(join(projectRoot, name), join(folder, name), { recursive: true });
  }
  return {
    folder,
    postern: (...args) => runCommand(folder, args, env),
    serve: (setup = {}) => startServer(folder, setup, env),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function runCommand(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CommandRun> {
  const child = spawn(process.execPath, [launcher, ...args], {
    cwd,
    env: { ...environment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [status] = await once(child, "close");
  return { status, stdout, stderr };
}

function stateIn(folder: string): Readonly<Record<string, string>> {
  return {
    POSTERN_ADMIN_CONTROL_SOCKET: `${folder}/control.sock`,
    POSTERN_DIRECTORY_DATABASE: `sqlite:${folder}/directory.db`,
    POSTERN_BUNDLE_LAST_GOOD_FOLDER: `${folder}/bundles`,
  };
}

async function startServer(
  cwd: string,
  setup: ServeSetup,
  env: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const { config = "examples/quickstart.yaml", listen, ownGroup = false } = setup;
  const child = spawn(process.execPath, [launcher, "serve", "--config", config], {
    cwd,
    env: {
      ...environment,
      ...(listen !== undefined && { POSTERN_GRPC_LISTEN: listen }),
      ...(setup.config === undefined && stateIn(setup.state ?? "state")),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
    detached: ownGroup,
  });
  const log: Record<string, unknown>[] = [];
  const ready = new Promise<Record<string, unknown>>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on("line", (text) => {
      const line = JSON.parse(text) as Record<string, unknown>;
      log.push(line);
      if (line["message"] === "Postern is ready.") resolve(line);
    });
    child.once("close", () => reject(new Error(`ended at start:\n${JSON.stringify(log)}`)));
  });
  const { grpc, diagnostics } = (await ready) as {
    grpc: string[];
    diagnostics: { host: string; port: number };
  };
  return {
    address: grpc[0]!,
    diagnostics: `http://${diagnostics.host}:${diagnostics.port}`,
    log,
    process: child,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      child.kill("SIGTERM");
      const [status] = await once(child, "exit");
      return status as number | null;
    },
  };
}
