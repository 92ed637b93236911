import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { BundleRefused, type BundleStage } from "./bundle/bundle-refused.ts";
import type { PosternMetadata } from "./bundle/manifest.ts";
import type { Preparation, PrepareBundle, PreparedBundle } from "./bundle/prepare-bundle.ts";

/** What the worker says, in this order: the metadata, then one of the others. */
export type FromPrepareWorker =
  | { readonly kind: "metadata"; readonly metadata: PosternMetadata }
  | { readonly kind: "prepared"; readonly bundle: PreparedBundle }
  | { readonly kind: "refused"; readonly stage: BundleStage; readonly message: string };

/** The answer to the metadata. */
export interface ToPrepareWorker {
  /** JSON text. */
  readonly hostData: string;
}

/** A base document at its limit takes a quarter of it; wasm memory is not counted here. */
const WORKER_HEAP_MIB = 1024;

/**
 * Prepares bundles in worker threads, so that serving goes on meanwhile. Each has a thread of its
 * own, which takes its memory with it when it ends, and is ended when it takes too long: whatever a
 * file leads its reader into, the process goes on.
 */
export function createPrepareInWorker(timeoutMs: number): PrepareBundle {
  return async (preparation) => {
    const { bytes, limits, signal } = preparation;
    const file = new URL("./prepare-worker.ts", import.meta.url);
    const resourceLimits = { maxOldGenerationSizeMb: WORKER_HEAP_MIB };
    const worker = new Worker(file, { workerData: { bytes, limits }, resourceLimits });
    // An error while nobody listens would end the process; whoever waits hears of it below.
    worker.on("error", () => {});
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      return await converse(worker, preparation, limit);
    } catch (error) {
      if (error instanceof BundleRefused || signal.aborted) throw error;
      const isLate = (error as Error).name === "AbortError";
      const why = isLate
        ? `preparing it takes longer than ${timeoutMs} ms (prepare_timeout_ms)`
        : `preparing it failed: ${(error as Error).message}`;
      throw new BundleRefused("policy", why, error);
    } finally {
      await worker.terminate();
    }
  };
}

async function converse(
  worker: Worker,
  { hostDataFor }: Preparation,
  limit: AbortSignal,
): Promise<PreparedBundle> {
  for (;;) {
    const message = await nextMessage(worker, limit);
    if (message.kind === "prepared") return message.bundle;
    if (message.kind === "refused") throw new BundleRefused(message.stage, message.message);
    const answer: ToPrepareWorker = { hostData: await hostDataFor(message.metadata) };
    worker.postMessage(answer);
  }
}

/** Also rejects with the error by which the worker ended, such as too little memory. */
async function nextMessage(worker: Worker, signal: AbortSignal): Promise<FromPrepareWorker> {
  const [message] = await once(worker, "message", { signal });
  return message;
}
