import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { accepts } from "../../test/support/accepts.ts";

/** The core that servers run on; load runs on the other one. */
export const SERVER_CORE = "0";
export const LOAD_CORE = "1";

/** A server under test, pinned to its core; stopped by its own id. */
export interface BenchServer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Resident memory in bytes, read from /proc. */
  residentBytes(): number;
  /** CPU time of all its threads so far, in milliseconds; in steps of ten, as the kernel counts it. */
  cpuMs(): number;
  stop(): Promise<void>;
}

/** What to start. */
export interface BenchCommand {
  readonly name: string;
  readonly port: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** May run on any core; on the servers' alone unless given. */
  readonly onAnyCore?: boolean;
}

/** Starts a server and waits until its port takes connections. */
export async function startServer(what: BenchCommand): Promise<BenchServer> {
  const pinning = what.onAnyCore ? [] : ["taskset", "-c", SERVER_CORE];
  const [command, ...args] = [...pinning, what.command, ...what.args] as [string, ...string[]];
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...what.env },
  });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4_000);
  });
  await untilListening(what, child, () => errors);
  return {
    name: what.name,
    port: what.port,
    pid: child.pid as number,
    residentBytes: () => residentBytes(child.pid as number),
    cpuMs: () => cpuMs(child.pid as number),
    stop: async () => {
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await once(child, "exit");
      clearTimeout(killer);
    },
  };
}

const START_TIMEOUT_MS = 60_000;

async function untilListening(
  what: BenchCommand,
  child: ChildProcess,
  errors: () => string,
): Promise<void> {
  const end = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < end) {
    if (child.exitCode !== null) throw new Error(`${what.name} ended at start:\n${errors()}`);
    if (await accepts(what.port)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill("SIGKILL");
  throw new Error(`${what.name} took no connection within ${START_TIMEOUT_MS} ms:\n${errors()}`);
}

function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) * 1024;
}

const TICK_MS = 10;

/** `utime` and `stime` of proc_pid_stat(5), counted from behind the name, which may hold blanks. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Fails with the sentence that tells how to get a tool that is missing. */
export function requireTool(command: string, howToInstall: string): void {
  if (spawnSync("which", [command]).status === 0) return;
  throw new Error(`this benchmark needs ${command}: ${howToInstall}`);
}

/** Puts this process, which offers load, on the load's core. */
export function moveToLoadCore(): void {
  spawnSync("taskset", ["-p", "-c", LOAD_CORE, String(process.pid)]);
}
