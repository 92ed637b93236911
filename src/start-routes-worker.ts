import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { RoutesFileOptions } from "./grpc/ext-authz/options.ts";
import type { PackedRoutes } from "./grpc/ext-authz/packed-routes.ts";

/** What a file says, ready to be served. */
export interface RoutesRead {
  readonly options: Omit<RoutesFileOptions, "routes">;
  readonly routes: PackedRoutes;
  readonly takesProperties: boolean;
}

/** What the worker says, once. */
export type FromRoutesWorker =
  | ({ readonly kind: "read" } & RoutesRead)
  | { readonly kind: "refused"; readonly message: string };

/** Something is wrong with what the file says, as often as it is read. */
export class RoutesFileRefused extends Error {
  override name = "RoutesFileRefused";
}

/** Reads the bytes of a file of routes. Throws `RoutesFileRefused`; anything else may pass. */
export type ReadRoutes = (
  file: { readonly bytes: Uint8Array; readonly fileName: string },
  signal: AbortSignal,
) => Promise<RoutesRead>;

const TIMEOUT_MS = 60_000;
const WORKER_HEAP_MIB = 512;

/** Reads them in a thread of its own, so that serving goes on: ten thousand routes take seconds. */
export const readRoutesInWorker: ReadRoutes = async (file, signal) => {
  const worker = new Worker(new URL("./routes-worker.ts", import.meta.url), {
    workerData: file,
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MIB },
  });
  // An error while nobody listens would end the process; whoever waits hears of it below.
  worker.on("error", () => {});
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const [message] = (await once(worker, "message", { signal: limit })) as [FromRoutesWorker];
    if (message.kind === "refused") throw new RoutesFileRefused(message.message);
    return message;
  } catch (error) {
    if ((error as Error).name !== "AbortError") throw error;
    throw new Error(`${file.fileName}: reading it takes longer than ${TIMEOUT_MS} ms`);
  } finally {
    await worker.terminate();
  }
};
