/**
 * Preloaded into the server that is measured (`node --import`): tells on a unix socket how long its
 * event loop was held up since it was last asked.
 */
import { createServer } from "node:http";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

/** Environment variable that names the socket. */
export const TURNS_SOCKET = "BENCH_TURNS_SOCKET";

/** How the turns of a server's event loop were. */
export interface Turns {
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  /** Most CPU time of the thread between two ticks of a timer that wants to tick every ms. */
  readonly cpuMaxMs: number;
}

const NS_PER_MS = 1e6;
const socket = process.env[TURNS_SOCKET];

// Workers are preloaded too, and so is the launcher before it becomes the server.
if (socket !== undefined && isMainThread && process.argv[1]?.endsWith("main.ts")) report(socket);

function report(path: string): void {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let cpuMaxMicroseconds = 0;
  let before = process.threadCpuUsage();
  setInterval(() => {
    const { user, system } = process.threadCpuUsage(before);
    cpuMaxMicroseconds = Math.max(cpuMaxMicroseconds, user + system);
    before = process.threadCpuUsage();
  }, 1).unref();
  const server = createServer((_, response) => {
    const turns: Turns = {
      delayP99Ms: delay.percentile(99) / NS_PER_MS,
      delayMaxMs: delay.max / NS_PER_MS,
      cpuMaxMs: cpuMaxMicroseconds / 1_000,
    };
    delay.reset();
    cpuMaxMicroseconds = 0;
    response.end(JSON.stringify(turns));
  });
  server.listen(path).unref();
}
