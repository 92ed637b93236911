import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import type { ActivePolicy } from "./active-policy.ts";
import type { BundleRefused } from "./bundle-refused.ts";
import type { BundleSource, BundleState } from "./bundle-status.ts";

/** Writes what happens to bundles into the log and the metrics. */
export interface BundleJournal {
  activated(policy: ActivePolicy, source: BundleSource): void;
  /** `revision` stays active; `undefined` = none is. */
  refused(application: string, reason: BundleRefused, revision: string | undefined): void;
  gone(application: string, revision: string): void;
  restored(application: string, state: BundleState): void;
  removed(application: string): void;
  copyFailed(application: string, error: unknown): void;
  copiesUnreadable(error: unknown): void;
}

/** Makes the journal. */
export function createBundleJournal(logger: Logger, meter: Meter): BundleJournal {
  const metrics = createMetrics(meter);
  return {
    activated(policy, source) {
      const { application, revision, digest } = policy;
      const memoryBytes = policy.policy.memoryBytes();
      metrics.activations.add(1, { application });
      metrics.memory.set(memoryBytes, { application });
      logger.info({ application, revision, digest, source, memoryBytes }, "Bundle activated.");
    },
    refused(application, { stage, message, cause }, revision) {
      metrics.refusals.add(1, { stage });
      const holds =
        revision === undefined ? "None is active." : `Revision ${revision} stays active.`;
      const fields = { application, stage, ...(cause === undefined ? {} : { error: cause }) };
      logger.error(fields, `Bundle refused: ${message}. ${holds}`);
    },
    gone(application, revision) {
      const message = `Bundle file deleted. Revision ${revision} stays active until it is removed.`;
      logger.warn({ application }, message);
    },
    restored(application, state) {
      logger.warn({ application, state }, "The last good copy serves, not the folder's file.");
    },
    removed(application) {
      metrics.memory.set(0, { application });
      logger.info({ application }, "Bundle removed.");
    },
    copyFailed(application, error) {
      const message = "The last good copy was not written. A restart depends on the folder.";
      metrics.copyFailures.add(1);
      logger.error({ error, application }, message);
    },
    copiesUnreadable(error) {
      logger.error({ error }, "Last good copies can't be listed. The folder alone serves.");
    },
  };
}

function createMetrics(meter: Meter) {
  return {
    activations: meter.counter({
      name: "postern_bundle_activations_total",
      help: "Bundles that came into force.",
      labels: ["application"],
    }),
    // By stage alone: a refused file may have any name.
    refusals: meter.counter({
      name: "postern_bundle_refusals_total",
      help: "Bundles that were refused, by the stage that refused them.",
      labels: ["stage"],
    }),
    copyFailures: meter.counter({
      name: "postern_bundle_copy_failures_total",
      help: "Last good copies that could not be written.",
    }),
    memory: meter.gauge({
      name: "postern_bundle_memory_bytes",
      help: "Memory of the policy in force, after its self-test.",
      labels: ["application"],
    }),
  };
}
