/**
 * Gets candidates in: bundles that are evaluated beside those in force, and never answer. Each is
 * read, checked, tried out and loaded as a bundle in force is; of one that is refused, or has left
 * the folder, nothing stays. Not for evaluating them, which the pipeline does.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import { type ActivatorDeps, createActivator } from "./activate-bundle.ts";
import type { ActivePolicies, ActivePolicy } from "./active-policy.ts";
import { BundleRefused, type BundleStage } from "./bundle-refused.ts";
import type { FileContent } from "./read-file.ts";
import { createFolderScan } from "./scan-folder.ts";
import { type FolderWatch, watchFolder } from "./watch-folder.ts";

/** A file in the folder of candidates, and what became of it. */
export type Candidate =
  | { readonly application: string; readonly kind: "loaded"; readonly policy: ActivePolicy }
  | {
      readonly application: string;
      readonly kind: "refused";
      readonly stage: BundleStage;
      readonly error: string;
    };

/** The candidates of this process, of which `get` gives those that are loaded. */
export interface Candidates extends ActivePolicies {
  /** All, by name. */
  list(): readonly Candidate[];
  /** Begins to watch; candidates come when they are ready. */
  start(): void;
  /** Stops watching and gives up a preparation in progress. */
  close(): Promise<void>;
}

/** What candidates are made of. */
export interface CandidatesDeps extends Omit<ActivatorDeps, "signal"> {
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
}

/** Makes the candidates of a folder; nothing is read before `start`. */
export function createCandidates(deps: CandidatesDeps): Candidates {
  const { folder, options, clock, logger } = deps;
  const { bundlesMax, compressedBytesMax: bytesMax, settleMs } = options;
  const stopping = new AbortController();
  const activate = createActivator({ ...deps, signal: stopping.signal });
  const known = createKnown(deps);

  async function load(application: string, content: FileContent): Promise<void> {
    if (known.get(application)?.digest === content.digest) return;
    const others = known.list().filter((one) => one.application !== application);
    if (others.filter(({ kind }) => kind === "loaded").length >= bundlesMax) {
      throw new BundleRefused("read", `${bundlesMax} candidates are loaded already (bundles_max)`);
    }
    const policy = await activate(application, content);
    stopping.signal.throwIfAborted();
    known.loaded(policy);
  }

  const scan = createFolderScan({
    ...{ folder, settleMs, bytesMax, clock },
    listener: {
      async found(application, content) {
        try {
          await load(application, content);
        } catch (error) {
          if (!stopping.signal.aborted) known.refused(application, asRefusal(error));
        }
      },
      refused: known.refused,
      gone: known.gone,
    },
  });
  let watch: FolderWatch | undefined;

  return {
    get: known.get,
    list: known.list,
    start() {
      watch = watchFolder({ ...options, folder, scan, logger });
    },
    async close() {
      stopping.abort();
      await watch?.close();
    },
  };
}

/** The candidates that are known, with what happens to them in the log and the metrics. */
interface KnownCandidates extends Pick<Candidates, "get" | "list"> {
  loaded(policy: ActivePolicy): void;
  refused(application: string, reason: BundleRefused): void;
  gone(application: string): void;
}

function createKnown({ logger, meter }: CandidatesDeps): KnownCandidates {
  const known = new Map<string, Candidate>();
  const memory = meter.gauge({
    name: "postern_shadow_memory_bytes",
    help: "Memory of the candidate that is evaluated beside the policy in force.",
    labels: ["application"],
  });

  function get(application: string): ActivePolicy | undefined {
    const candidate = known.get(application);
    return candidate?.kind === "loaded" ? candidate.policy : undefined;
  }

  function forget(application: string): void {
    if (get(application) !== undefined) memory.set(0, { application });
    known.delete(application);
  }

  return {
    get,
    list: () => [...known.values()].sort((a, b) => (a.application < b.application ? -1 : 1)),
    loaded(policy) {
      const { application, revision, digest } = policy;
      known.set(application, { application, kind: "loaded", policy });
      const memoryBytes = policy.policy.memoryBytes();
      memory.set(memoryBytes, { application });
      logger.info({ application, revision, digest, memoryBytes }, "Candidate loaded.");
    },
    refused(application, { stage, message, cause }) {
      forget(application);
      known.set(application, { application, kind: "refused", stage, error: message });
      const fields = { application, stage, ...(cause === undefined ? {} : { error: cause }) };
      logger.error(fields, `Candidate refused: ${message}. What is in force stays so.`);
    },
    gone(application) {
      forget(application);
      logger.info({ application }, "Candidate gone. It is not evaluated any more.");
    },
  };
}

function asRefusal(error: unknown): BundleRefused {
  if (error instanceof BundleRefused) return error;
  // A defect of ours or the machine's trouble; its cause goes to the log.
  return new BundleRefused("policy", (error as Error).message, error);
}
