import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { freePort } from "./free-port.ts";
import { type RedisServer, startRedis } from "./redis.ts";

/** A primary, its replica, and a sentinel that makes the one the other. */
export interface SentinelGroup {
  readonly url: string;
  readonly primary: RedisServer;
  readonly replica: RedisServer;
}

const MASTER = "main";

/** Starts the three; they are stopped when the test is over. */
export async function startSentinelGroup(): Promise<SentinelGroup> {
  const [port, replicaPort, sentinelPort] = [await freePort(), await freePort(), await freePort()];
  const primary = await startRedis({ port });
  const args = ["--replicaof", "127.0.0.1", String(port)];
  const replica = await startRedis({ port: replicaPort, args });
  await expectReplica(replica);
  await startSentinel(sentinelPort, port);
  return { url: `redis+sentinel://127.0.0.1:${sentinelPort}/${MASTER}`, primary, replica };
}

/** A replica that has nothing yet would be no successor. */
async function expectReplica({ admin }: RedisServer): Promise<void> {
  while (!(await admin.info("replication")).includes("master_link_status:up")) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function startSentinel(port: number, primaryPort: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "postern-sentinel-"));
  const file = join(folder, "sentinel.conf");
  const lines = [
    ...[`port ${port}`, "bind 127.0.0.1", `dir ${folder}`],
    `sentinel monitor ${MASTER} 127.0.0.1 ${primaryPort} 1`,
    `sentinel down-after-milliseconds ${MASTER} 500`,
    `sentinel failover-timeout ${MASTER} 3000`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const child = spawn("redis-server", [file, "--sentinel"], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(async () => {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const said: string[] = [];
  const watching = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      said.push(line);
      // It knows the replica only after it has asked the primary.
      if (line.includes("+slave ")) resolve();
    });
  });
  const exited = once(child, "exit").then(() => {
    throw new Error(`the sentinel ended:\n${said.join("\n")}`);
  });
  exited.catch(() => {});
  await Promise.race([watching, exited]);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
