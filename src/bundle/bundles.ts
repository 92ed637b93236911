/**
 * Gets policies in: watches the folder of bundles, prepares what has changed aside, and puts it in
 * force by one assignment. Not for evaluating them, which is the engine's, nor for reading their
 * answers, which is the pipeline's.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Health } from "../base/health.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import { PdpError } from "../decision/error.ts";
import { type ActivatorDeps, createActivator } from "./activate-bundle.ts";
import type { ActivePolicies } from "./active-policy.ts";
import { type BundleJournal, createBundleJournal } from "./bundle-journal.ts";
import { BundleRefused } from "./bundle-refused.ts";
import { type BundleStatus, type BundleStatuses, createBundleStatuses } from "./bundle-status.ts";
import { createLastGood, type LastGood } from "./last-good.ts";
import { createPoliciesInForce, type PoliciesInForce } from "./policies-in-force.ts";
import {
  bundleSuffix,
  createFolderScan,
  type FolderListener,
  type FolderScan,
} from "./scan-folder.ts";
import { createSerialQueue, type SerialQueue } from "./serial-queue.ts";
import { type FolderWatch, watchFolder } from "./watch-folder.ts";

/** The bundles of this process. */
export interface Bundles {
  readonly policies: ActivePolicies;
  /** Resolves when every bundle that was there at the start has been tried, then watches on. */
  start(): Promise<void>;
  /** All applications that have or had a bundle, by name. */
  list(): readonly BundleStatus[];
  /**
   * Takes an application out of force and forgets its last good copy. Its file has to be gone from
   * the folder already: otherwise `invalid-argument`, and `unavailable` if that can't be told.
   * `false` = no such application.
   */
  remove(application: string): Promise<boolean>;
  /** Stops watching and gives up a preparation in progress. What is in force stays so. */
  close(): Promise<void>;
}

/** What bundles are made of. */
export interface BundlesDeps extends Omit<ActivatorDeps, "signal"> {
  readonly logger: Logger;
  readonly meter: Meter;
  readonly health: Health;
}

/** Makes the bundles of this process; nothing is read before `start`. */
export function createBundles(deps: BundlesDeps): Bundles {
  const { options, logger } = deps;
  const stopping = new AbortController();
  const statuses = createBundleStatuses(deps);
  const journal = createBundleJournal(logger, deps.meter);
  const inForce = createPoliciesInForce({
    activate: createActivator({ ...deps, signal: stopping.signal }),
    statuses,
    journal,
    bundlesMax: options.bundlesMax,
    signal: stopping.signal,
  });
  const lastGood = createLastGood(options.lastGoodFolder, options.compressedBytesMax);
  const enqueue = createSerialQueue();
  const listener = createListener({ inForce, statuses, journal, lastGood, enqueue });
  const { folder, settleMs, compressedBytesMax: bytesMax } = options;
  const scan = createFolderScan({ folder, settleMs, bytesMax, clock: deps.clock, listener });
  let watch: FolderWatch | undefined;

  return {
    policies: inForce,
    async start() {
      await firstScan(scan, settleMs, logger);
      await enqueue(() => restoreLastGood({ inForce, statuses, journal, lastGood }));
      statuses.started();
      if (!stopping.signal.aborted) watch = watchFolder({ ...options, scan, logger });
    },
    list: () =>
      [...statuses.byName.values()].sort((a, b) => (a.application < b.application ? -1 : 1)),
    remove: (application) =>
      enqueue(async () => {
        if (!statuses.byName.has(application)) return false;
        await refuseIfInFolder(application, folder);
        await lastGood.remove(application);
        inForce.drop(application);
        statuses.removed(application);
        journal.removed(application);
        return true;
      }),
    async close() {
      stopping.abort();
      await watch?.close();
      await enqueue(async () => {});
    },
  };
}

interface Parts {
  readonly inForce: PoliciesInForce;
  readonly statuses: BundleStatuses;
  readonly journal: BundleJournal;
  readonly lastGood: LastGood;
}

/** Does what the folder asks for. Activations take their turn with removals. */
function createListener(parts: Parts & { readonly enqueue: SerialQueue }): FolderListener {
  const { inForce, statuses, journal, lastGood, enqueue } = parts;
  return {
    found: (name, content) =>
      enqueue(async () => {
        if (!(await inForce.take(name, content, "folder"))) return;
        try {
          await lastGood.save(name, content);
        } catch (error) {
          journal.copyFailed(name, error);
        }
      }),
    refused: inForce.refuse,
    gone(name) {
      statuses.gone(name);
      const revision = inForce.get(name)?.revision;
      if (revision !== undefined) journal.gone(name, revision);
    },
  };
}

/** For applications whose file is missing or was refused. */
async function restoreLastGood({ inForce, statuses, journal, lastGood }: Parts): Promise<void> {
  for (const name of await copiesOf(lastGood, journal)) {
    if (inForce.get(name) !== undefined) continue;
    const before = statuses.byName.get(name);
    try {
      const content = await lastGood.load(name);
      if (content === undefined || !(await inForce.take(name, content, "last-good"))) continue;
      statuses.restored(name, before);
      journal.restored(name, statuses.byName.get(name)!.state);
    } catch (error) {
      inForce.refuse(name, new BundleRefused("read", "the last good copy can't be read", error));
    }
  }
}

/** The folder alone may do: copies that can't be listed don't keep the process from starting. */
async function copiesOf(lastGood: LastGood, journal: BundleJournal): Promise<readonly string[]> {
  try {
    return await lastGood.list();
  } catch (error) {
    journal.copiesUnreadable(error);
    return [];
  }
}

async function refuseIfInFolder(application: string, folder: string): Promise<void> {
  try {
    await stat(join(folder, application + bundleSuffix));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    // A folder that can't be looked into may hold the file, which would bring the application back.
    throw new PdpError(
      "unavailable",
      `application: can't tell whether the bundle of ${application} has left ${folder}: ${message}. ` +
        "The application stays in force.",
      { field: "application", cause: error },
    );
  }
  throw new PdpError(
    "invalid-argument",
    `application: the bundle of ${application} is still in ${folder}; delete the file first`,
    { field: "application" },
  );
}

/** Two looks, so that what has settled is found. The folder may be unreadable at a start. */
async function firstScan(scan: FolderScan, settleMs: number, logger: Logger): Promise<void> {
  try {
    if (!(await scan.scan()).unsettled) return;
    // A timer may fire a fraction of a millisecond early by the monotonic clock.
    await new Promise((resolve) => setTimeout(resolve, settleMs + 2));
    await scan.scan();
  } catch (error) {
    logger.error({ error }, "The folder of bundles can't be read. Last good copies serve.");
  }
}
