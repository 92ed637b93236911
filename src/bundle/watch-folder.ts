import { watch } from "chokidar";
import type { Logger } from "../base/logger.ts";
import type { FolderScan } from "./scan-folder.ts";

/** A folder under watch. */
export interface FolderWatch {
  /** Resolves once the scan in progress, if any, has ended. */
  close(): Promise<void>;
}

/** What a watch is made of. */
export interface FolderWatchDeps {
  readonly folder: string;
  readonly pollIntervalMs: number;
  readonly settleMs: number;
  readonly scan: FolderScan;
  readonly logger: Logger;
}

/** A folder that changes without pause is looked at this often, not as often as it changes. */
const PAUSE_MIN_MS = 20;

/**
 * Scans the folder at every file event **and** every `pollIntervalMs`. Events only make it quicker:
 * they get lost without an error when inotify's queue overflows (measured: of 60,000 events 16,384
 * arrived), and never come from network file systems or for a folder that has been replaced.
 */
export function watchFolder(deps: FolderWatchDeps): FolderWatch {
  const { folder, pollIntervalMs, settleMs, scan, logger } = deps;
  let closed = false;
  let hinted = false;
  let wake = (): void => {};

  const watcher = watch(folder, { depth: 0, ignoreInitial: true, followSymlinks: false });
  watcher.on("all", () => {
    hinted = true;
    wake();
  });
  watcher.on("error", (error) => {
    logger.warn({ error, folder }, "File events failed. The folder is still polled.");
  });

  function pause(ms: number, untilHint: boolean): Promise<void> {
    if (closed || (untilHint && hinted)) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        if (!untilHint && !closed) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function loop(): Promise<void> {
    let readable = true;
    while (!closed) {
      hinted = false;
      let delayMs = pollIntervalMs;
      try {
        if ((await scan.scan()).unsettled) delayMs = Math.min(settleMs, pollIntervalMs);
        readable = true;
      } catch (error) {
        if (readable) {
          logger.error({ error, folder }, "The folder can't be read. What is active stays.");
        }
        readable = false;
      }
      await pause(PAUSE_MIN_MS, false);
      await pause(delayMs, true);
    }
  }

  const ended = loop();
  return {
    async close() {
      closed = true;
      wake();
      await Promise.all([watcher.close(), ended]);
    },
  };
}
