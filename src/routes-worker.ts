/** The worker thread in which one file of routes is read and checked. */
import { parentPort, workerData } from "node:worker_threads";
import { ConfigError } from "./config/config-error.ts";
import { packRoutes } from "./grpc/ext-authz/packed-routes.ts";
import { readRoutes } from "./grpc/ext-authz/route-list.ts";
import { takeProperties } from "./grpc/ext-authz/uncounted-facts.ts";
import { parseRoutesFile } from "./read-routes-file.ts";
import type { FromRoutesWorker } from "./start-routes-worker.ts";

const { bytes, fileName } = workerData as { bytes: Uint8Array; fileName: string };

function read(): FromRoutesWorker {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const { routes, ...options } = parseRoutesFile({ text, fileName }).options;
    const packed = packRoutes(readRoutes(routes, []));
    return { kind: "read", options, routes: packed, takesProperties: takeProperties(routes) };
  } catch (error) {
    if (error instanceof ConfigError) return { kind: "refused", message: error.message };
    if (error instanceof TypeError) {
      return { kind: "refused", message: `${fileName}: it is not UTF-8` };
    }
    throw error;
  }
}

parentPort!.postMessage(read());
