import type { Clock } from "../base/clock.ts";
import type { Health } from "../base/health.ts";
import type { ActivePolicy } from "./active-policy.ts";
import type { BundleRefused, BundleStage } from "./bundle-refused.ts";

/** Where the bundle in force was read from. */
export type BundleSource = "folder" | "last-good";

/** How an application stands. */
export type BundleState =
  /** The folder's file is in force. */
  | "active"
  /** A bundle is in force whose file has left the folder. */
  | "active (file deleted)"
  /** A bundle is in force, and the file in the folder was refused. */
  | "active (update refused)"
  /** Nothing is in force: the file was refused. */
  | "failed";

/** One application, as `postern bundle list` shows it. */
export interface BundleStatus {
  /** The name of the file without its ending; with `failed` perhaps no legal application name. */
  readonly application: string;
  readonly state: BundleState;
  /** At which stage the last attempt was refused, and why. */
  readonly stage: BundleStage | undefined;
  readonly error: string | undefined;
  /** Of the bundle in force. */
  readonly revision: string | undefined;
  readonly digest: string | undefined;
  readonly source: BundleSource | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly activatedAtMs: number | undefined;
  readonly lastAttemptAtMs: number;
}

/** Keeps how each application stands, and tells the health of all. */
export interface BundleStatuses {
  readonly byName: ReadonlyMap<string, BundleStatus>;
  activated(policy: ActivePolicy, source: BundleSource): void;
  /** The folder has what is in force already. */
  unchanged(application: string): void;
  refused(application: string, reason: BundleRefused): void;
  gone(application: string): void;
  /** The last good copy is in force; `before` says how the folder's file fared. */
  restored(application: string, before: BundleStatus | undefined): void;
  removed(application: string): void;
  /** What was there at the start has been tried; before, health says so. */
  started(): void;
}

const COMPONENT = "bundles";

/** Makes the statuses, with nothing known. */
export function createBundleStatuses(deps: {
  readonly clock: Clock;
  readonly health: Health;
}): BundleStatuses {
  const { clock, health } = deps;
  const byName = new Map<string, BundleStatus>();
  let isStarted = false;

  function set(application: string, changes: Partial<BundleStatus>): void {
    const status = byName.get(application) ?? unknownStatus(application);
    byName.set(application, Object.freeze({ ...status, ...changes }));
    reportHealth();
  }

  function forget(application: string): void {
    byName.delete(application);
    reportHealth();
  }

  function reportHealth(): void {
    if (isStarted) setHealth(health, [...byName.values()]);
  }

  health.set(COMPONENT, "starting");
  return {
    byName,
    activated({ application, revision, digest }, source) {
      const nowMs = clock.wallMs();
      const times = { activatedAtMs: nowMs, lastAttemptAtMs: nowMs };
      set(application, { ...fine, ...times, revision, digest, source });
    },
    unchanged(application) {
      set(application, { ...fine, source: "folder", lastAttemptAtMs: clock.wallMs() });
    },
    refused(application, { stage, message }) {
      const state = isInForce(byName.get(application)) ? "active (update refused)" : "failed";
      set(application, { state, stage, error: message, lastAttemptAtMs: clock.wallMs() });
    },
    gone(application) {
      if (!isInForce(byName.get(application))) forget(application);
      else set(application, { ...fine, state: "active (file deleted)" });
    },
    restored(application, before) {
      const state = before === undefined ? "active (file deleted)" : "active (update refused)";
      set(application, { state, stage: before?.stage, error: before?.error });
    },
    removed: forget,
    started() {
      isStarted = true;
      reportHealth();
    },
  };
}

const fine = { state: "active", stage: undefined, error: undefined } as const;

function unknownStatus(application: string): BundleStatus {
  return {
    application,
    state: "failed",
    stage: undefined,
    error: undefined,
    revision: undefined,
    digest: undefined,
    source: undefined,
    activatedAtMs: undefined,
    lastAttemptAtMs: 0,
  };
}

function isInForce(status: BundleStatus | undefined): boolean {
  return status?.revision !== undefined;
}

/** Nothing in force is the one state in which no answer can be given at all. */
function setHealth(health: Health, statuses: readonly BundleStatus[]): void {
  const troubled = statuses.filter(({ state }) => state !== "active").map(describe);
  if (!statuses.some(isInForce)) {
    health.set(COMPONENT, "failing", ["no bundle is in force", ...troubled].join("; "));
  } else if (troubled.length > 0) {
    health.set(COMPONENT, "degraded", troubled.join("; "));
  } else {
    health.set(COMPONENT, "ok");
  }
}

function describe({ application, state, stage, error }: BundleStatus): string {
  const why = error === undefined ? "" : `: ${stage}: ${error}`;
  return `${application} is ${state}${why}`;
}
