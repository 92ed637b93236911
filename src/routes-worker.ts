/** The worker thread in which one file of routes is read and checked. */
import { parentPort, workerData } from "node:worker_threads";
import { ConfigError } from "./config/config-error.ts";
import { parseRoutesFile } from "./read-routes-file.ts";
import type { FromRoutesWorker } from "./start-routes-worker.ts";

const { bytes, fileName } = workerData as { bytes: Uint8Array; fileName: string };

function read(): FromRoutesWorker {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { kind: "read", options: parseRoutesFile({ text, fileName }).options };
  } catch (error) {
    if (error instanceof ConfigError) return { kind: "refused", message: error.message };
    if (error instanceof TypeError) {
      return { kind: "refused", message: `${fileName}: it is not UTF-8` };
    }
    throw error;
  }
}

parentPort!.postMessage(read());
