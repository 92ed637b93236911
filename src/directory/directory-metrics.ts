import type { Clock } from "../base/clock.ts";
import type { Meter } from "../base/meter.ts";
import { toPdpError } from "../decision/error.ts";

/** Shows operators how the directory is doing. */
export interface DirectoryMetrics {
  /** Does the work of one resolve, and notes how long it took and how it ended. */
  resolve<T>(work: () => Promise<T>): Promise<T>;
  /** The newest generation that this process knows of. */
  generation(generation: number): void;
  /** So many transactions wait for a connection. */
  waiting(pool: "read" | "write", count: number): void;
}

const SECONDS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2];

/** Makes the directory's instruments. */
export function createDirectoryMetrics(clock: Clock, meter: Meter): DirectoryMetrics {
  const seconds = meter.histogram({
    name: "postern_directory_resolve_seconds",
    help: "Time to resolve a permission set, by outcome: resolved, or the kind of the error.",
    labels: ["outcome"],
    buckets: SECONDS,
  });
  const generation = meter.gauge({
    name: "postern_directory_generation",
    help: "Newest generation of the directory that this process knows of.",
  });
  const waiting = meter.gauge({
    name: "postern_directory_waiting_transactions",
    help: "Transactions waiting for a connection to the directory's database.",
    labels: ["pool"],
  });
  return {
    async resolve(work) {
      const startedMs = clock.monotonicMs();
      const end = (outcome: string): void =>
        seconds.observe((clock.monotonicMs() - startedMs) / 1_000, { outcome });
      try {
        const resolved = await work();
        end("resolved");
        return resolved;
      } catch (error) {
        end(toPdpError(error).kind);
        throw error;
      }
    },
    generation: (value) => generation.set(value),
    waiting: (pool, count) => waiting.set(count, { pool }),
  };
}
