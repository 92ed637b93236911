import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import { onTestFinished } from "vitest";
import type { TlsFiles } from "./tls-files.ts";

/** How a server is started. */
export interface RedisSetup {
  /** Further arguments, for example `["--maxmemory", "2mb"]`. */
  readonly args?: readonly string[];
  /** On this port of 127.0.0.1 instead of a unix socket. */
  readonly port?: number;
  /** Serves TLS on the port, with a certificate for `localhost`. */
  readonly tls?: TlsFiles;
  /** Keeps what is in it across `restart()`. */
  readonly persistent?: boolean;
}

/** A real `redis-server` that the test owns. */
export interface RedisServer {
  readonly url: string;
  /** Speaks to it past everything that is tested. */
  readonly admin: Redis;
  /** For SIGSTOP, SIGCONT and SIGKILL. */
  signal(name: NodeJS.Signals): void;
  /** Kills it without warning and starts it again in its place; empty unless persistent. */
  restart(): Promise<void>;
  /** Kills it without warning. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server with a folder of its own, and stops it when the test is over. */
export async function startRedis(setup: RedisSetup = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "postern-redis-"));
  const socket = join(folder, "redis.sock");
  const args = [...serverArgs(setup, folder, socket), ...(setup.args ?? [])];
  let child = await launch(args);
  const admin = new Redis({ path: socket, retryStrategy: () => 20, protocol: 2 });
  admin.on("error", () => {});

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
  const server: RedisServer = {
    url: serverUrl(setup, socket),
    admin,
    signal: (name) => void child.kill(name),
    async restart() {
      await kill();
      child = await launch(args);
    },
    kill,
    async stop() {
      admin.disconnect();
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  onTestFinished(() => server.stop());
  return server;
}

function serverArgs(setup: RedisSetup, folder: string, socket: string): readonly string[] {
  const { port = 0, tls, persistent = false } = setup;
  return [
    ...["--dir", folder, "--unixsocket", socket, "--bind", "127.0.0.1", "--loglevel", "notice"],
    ...["--save", "", "--appendonly", persistent ? "yes" : "no", "--appendfsync", "always"],
    // DEBUG is how some of its failures are brought about.
    ...["--enable-debug-command", "yes", "--port", tls === undefined ? `${port}` : "0"],
    ...(tls === undefined
      ? []
      : [
          ...["--tls-port", `${port}`, "--tls-ca-cert-file", tls.ca, "--tls-auth-clients", "no"],
          ...["--tls-cert-file", tls.certificate, "--tls-key-file", tls.key],
        ]),
  ];
}

function serverUrl({ port, tls }: RedisSetup, socket: string): string {
  if (port === undefined) return `redis+unix://${socket}`;
  return tls === undefined ? `redis://127.0.0.1:${port}` : `rediss://localhost:${port}`;
}

/** Starts `redis-server` and waits until it accepts connections, loading or not. */
async function launch(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
  const failed = once(child, "error").then(([error]) => {
    throw new Error("The tests need redis-server 7: apt-get install redis-server", {
      cause: error,
    });
  });
  const exited = once(child, "exit").then(([code]) => {
    throw new Error(
      `redis-server ended with status ${code}: ${args.join(" ")}\n${said.join("\n")}`,
    );
  });
  // Either comes late in a test that went well.
  exited.catch(() => {});
  failed.catch(() => {});
  const said: string[] = [];
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      if (said.length < 100) said.push(line);
      if (/ready to accept connections|open for|The server is now ready/i.test(line)) resolve();
    });
  });
  await Promise.race([ready, failed, exited]);
  return child;
}
