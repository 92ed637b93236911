import { onTestFinished } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { noDeadline } from "../../src/base/deadline.ts";
import { silentLogger } from "../../src/base/logger.ts";
import type { TierEntry } from "../../src/cache/inspect-tiers.ts";
import type { SetQuery } from "../../src/cache/permission-sets.ts";
import { parseConfig } from "../../src/config/load-config.ts";
import type { PermissionSet } from "../../src/decision/permission-set.ts";
import { repeatWithTimer } from "../../src/directory/change-feed.ts";
import type { Directory } from "../../src/directory/directory.ts";
import {
  type ServingPermissionSets,
  servePermissionSets,
} from "../../src/serving-permission-sets.ts";
import { notingMeter } from "./noting-meter.ts";
import { openTestDirectory, type TestDirectory } from "./test-directory.ts";

/** Permission sets as a sidecar serves them, in this process, in real time. */
export interface ServedSets extends ServingPermissionSets {
  /** The set of a subject in `platform`. */
  ask(subjectId: string): Promise<PermissionSet>;
  /** What Redis has of a subject in `platform`. */
  inRedis(subjectId: string): Promise<TierEntry>;
  /** What it measured: `name label-values value`. */
  readonly notes: readonly string[];
}

/** A directory on SQLite that looks for changes as a server's does; closed after the test. */
export async function openLiveDirectory(): Promise<TestDirectory> {
  const test = await openTestDirectory({}, { clock: systemClock, repeat: repeatWithTimer });
  onTestFinished(() => test.dispose());
  return test;
}

/** Serves sets of `directory`, shared through the Redis of the URL; ended after the test. */
export async function serveSets(directory: Directory, redisUrl: string): Promise<ServedSets> {
  const env = { POSTERN_CACHE_REDIS_URL: redisUrl };
  const { config } = parseConfig({ text: "", fileName: "none", env });
  const { meter, notes } = notingMeter();
  const served = await servePermissionSets({
    ...{ directory, clock: systemClock, logger: silentLogger, meter },
    options: config.cache,
    applications: () => directory.catalogues.keys(),
  });
  onTestFinished(served.close);
  return {
    ...served,
    notes,
    ask: async (subjectId) => served.permissionSets.get(queryOf(subjectId)),
    async inRedis(subjectId) {
      const { entries } = await served.inspection.show(subjectId);
      return entries.find(
        ({ application, tier }) => application === "platform" && tier === "redis",
      )!;
    },
  };
}

function queryOf(subjectId: string): SetQuery {
  return {
    application: "platform",
    subjectId,
    deadline: noDeadline,
    consistency: { minimumGeneration: 0, bypassCache: false },
  };
}
