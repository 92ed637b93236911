import type { ActivateBundle } from "./activate-bundle.ts";
import type { ActivePolicies, ActivePolicy } from "./active-policy.ts";
import type { BundleJournal } from "./bundle-journal.ts";
import { BundleRefused } from "./bundle-refused.ts";
import type { BundleSource, BundleStatuses } from "./bundle-status.ts";
import type { FileContent } from "./read-file.ts";

/** The policies in force, and the one way by which they change. */
export interface PoliciesInForce extends ActivePolicies {
  /** Whether the content is in force when it resolves. Never throws; calls must not overlap. */
  take(application: string, content: FileContent, source: BundleSource): Promise<boolean>;
  /** Counts a refusal of a file that could not even be read. */
  refuse(application: string, reason: BundleRefused): void;
  drop(application: string): void;
}

/** What the policies in force are made of. */
export interface PoliciesInForceDeps {
  readonly activate: ActivateBundle;
  readonly statuses: BundleStatuses;
  readonly journal: BundleJournal;
  readonly bundlesMax: number;
  /** Once aborted, nothing is taken any more, and what is under way is forgotten. */
  readonly signal: AbortSignal;
}

/** Makes it, with nothing in force. */
export function createPoliciesInForce(deps: PoliciesInForceDeps): PoliciesInForce {
  const { activate, statuses, journal, bundlesMax, signal } = deps;
  // Replaced as a whole, never changed: whoever reads it sees the state before or the one after.
  let active: ReadonlyMap<string, ActivePolicy> = new Map();

  function refuse(application: string, reason: BundleRefused): void {
    statuses.refused(application, reason);
    journal.refused(application, reason, active.get(application)?.revision);
  }

  async function tryTake(
    application: string,
    content: FileContent,
    source: BundleSource,
  ): Promise<void> {
    if (!active.has(application) && active.size >= bundlesMax) {
      throw new BundleRefused(
        "read",
        `${bundlesMax} applications are served already (bundles_max)`,
      );
    }
    const policy = await activate(application, content);
    signal.throwIfAborted();
    active = new Map(active).set(application, policy);
    statuses.activated(policy, source);
    journal.activated(policy, source);
  }

  return {
    get: (application) => active.get(application),
    async take(application, content, source) {
      if (signal.aborted) return false;
      if (active.get(application)?.digest === content.digest) {
        statuses.unchanged(application);
        return true;
      }
      try {
        await tryTake(application, content, source);
        return true;
      } catch (error) {
        if (!signal.aborted) refuse(application, asRefusal(error, source));
        return false;
      }
    },
    refuse,
    drop(application) {
      const next = new Map(active);
      next.delete(application);
      active = next;
    },
  };
}

function asRefusal(error: unknown, source: BundleSource): BundleRefused {
  const { message } = error as Error;
  const text = source === "last-good" ? `the last good copy: ${message}` : message;
  // What is no refusal is a defect of ours or the machine's trouble; its cause goes to the log.
  if (!(error instanceof BundleRefused)) return new BundleRefused("policy", text, error);
  return new BundleRefused(error.stage, text, error.cause);
}
