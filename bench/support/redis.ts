import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../test/support/free-port.ts";
import { type BenchServer, requireTool, startServer } from "./processes.ts";

/** A Redis of the benchmark's own. */
export interface BenchRedis extends BenchServer {
  readonly url: string;
}

/** Starts an empty `redis-server` that keeps nothing. */
export async function startBenchRedis(onAnyCore = false): Promise<BenchRedis> {
  requireTool("redis-server", "apt-get install redis-server");
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "postern-bench-redis-"));
  const server = await startServer({
    name: "redis",
    port,
    command: "redis-server",
    args: ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
    onAnyCore,
  });
  return {
    ...server,
    url: `redis://127.0.0.1:${port}/0`,
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
