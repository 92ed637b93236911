/**
 * The worker thread in which one bundle is prepared: it reads, compiles, and hands over. A file of
 * its own, since it is the one place besides `server.ts` that knows both the bundle and the engine.
 */
import { parentPort, workerData } from "node:worker_threads";
import { BundleRefused } from "./bundle/bundle-refused.ts";
import type { BundleLimits } from "./bundle/options.ts";
import { createPrepareBundle } from "./bundle/prepare-bundle.ts";
import { preparePolicy } from "./engine/prepare-policy.ts";
import type { FromPrepareWorker, ToPrepareWorker } from "./start-prepare-worker.ts";

const port = parentPort!;
const { bytes, limits } = workerData as { bytes: Uint8Array<ArrayBuffer>; limits: BundleLimits };
const prepareBundle = createPrepareBundle(preparePolicy);

function send(message: FromPrepareWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

try {
  const bundle = await prepareBundle({
    bytes,
    limits,
    // The thread that started this one ends it when the result isn't wanted any more.
    signal: new AbortController().signal,
    hostDataFor: (metadata) =>
      new Promise((resolve) => {
        port.once("message", ({ hostData }: ToPrepareWorker) => resolve(hostData));
        send({ kind: "metadata", metadata });
      }),
  });
  send({ kind: "prepared", bundle }, [bundle.policy.image.buffer]);
} catch (error) {
  if (!(error instanceof BundleRefused)) throw error;
  send({ kind: "refused", stage: error.stage, message: error.message });
}
