import type { ActivePolicy } from "../bundle/active-policy.ts";
import type { Difference, DifferenceKind } from "./shadow-comparison.ts";

/** Differences told apart; more come from reasons that requests make up. */
const DIFFERENCES_MAX = 200;
const EXAMPLES_MAX = 3;

/** Which bundle it is. */
export interface ShadowedBundle {
  readonly revision: string;
  /** SHA-256 of the file, hex. */
  readonly digest: string;
}

/** A request that was answered differently: what may be shown of it, and no secret. */
export interface ShadowExample {
  /** Of the decision that was given. */
  readonly decisionId: string;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly request: Readonly<Record<string, string>>;
}

/** A way in which answers differ, and how often. */
export interface ShadowDifference extends Difference {
  readonly count: number;
  /** The first ones. */
  readonly examples: readonly ShadowExample[];
}

/** What came of the decisions that were offered; `dropped`: not evaluated, for want of time. */
export type ShadowCounts = Readonly<Record<DifferenceKind | "same" | "dropped", number>>;

/** How a candidate fares beside the policy in force; counted since both are what they are. */
export interface ShadowReport {
  readonly application: string;
  /** `stopped`: its evaluations took too long; `identical`: it is the bundle in force. */
  readonly state: "comparing" | "stopped" | "identical" | "without-active";
  /** `undefined` = none is in force. */
  readonly active: ShadowedBundle | undefined;
  readonly candidate: ShadowedBundle;
  /** When counting began, with a decision or a look; in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  readonly counts: ShadowCounts;
  /** Evaluations of the candidate that took too long. */
  readonly overruns: number;
  /** The most frequent first. */
  readonly differences: readonly ShadowDifference[];
  /** Answers that differ, and are in none of `differences`, since there are too many of those. */
  readonly further: number;
}

/** A candidate that can't be evaluated. */
export interface RefusedCandidate {
  readonly application: string;
  readonly state: "refused";
  /** At which stage it was refused, and why. */
  readonly stage: string;
  readonly error: string;
}

const nothing: ShadowCounts = Object.freeze({
  same: 0,
  "newly-allowed": 0,
  "newly-denied": 0,
  changed: 0,
  failed: 0,
  dropped: 0,
});

/** Two policies that are compared, and what has come out. */
export class ShadowTally {
  // Their names alone: a policy that has gone is not to be kept in memory.
  readonly #application: string;
  readonly #active: ShadowedBundle;
  readonly #candidate: ShadowedBundle;
  readonly #sinceMs: number;
  readonly #counts: { -readonly [Name in keyof ShadowCounts]: number } = { ...nothing };
  readonly #differences = new Map<string, Tallied>();
  #further = 0;
  #overruns = 0;

  constructor(active: ActivePolicy, candidate: ActivePolicy, sinceMs: number) {
    this.#application = candidate.application;
    this.#active = bundleOf(active);
    this.#candidate = bundleOf(candidate);
    this.#sinceMs = sinceMs;
  }

  /** How many evaluations have taken too long. */
  get overruns(): number {
    return this.#overruns;
  }

  overran(): void {
    this.#overruns += 1;
  }

  dropped(): void {
    this.#counts.dropped += 1;
  }

  same(): void {
    this.#counts.same += 1;
  }

  /** `exampleOf` is asked only where an example is wanted. */
  differed(difference: Difference, exampleOf: () => ShadowExample): void {
    this.#counts[difference.kind] += 1;
    const key = keyOf(difference);
    let tallied = this.#differences.get(key);
    if (tallied === undefined) {
      if (this.#differences.size >= DIFFERENCES_MAX) {
        this.#further += 1;
        return;
      }
      tallied = { difference, count: 0, examples: [] };
      this.#differences.set(key, tallied);
    }
    tallied.count += 1;
    if (tallied.examples.length < EXAMPLES_MAX) tallied.examples.push(exampleOf());
  }

  report(state: "comparing" | "stopped"): ShadowReport {
    return {
      application: this.#application,
      state,
      active: this.#active,
      candidate: this.#candidate,
      sinceMs: this.#sinceMs,
      counts: { ...this.#counts },
      overruns: this.#overruns,
      differences: [...this.#differences.values()]
        .sort((a, b) => b.count - a.count)
        .map(({ difference, count, examples }) => ({ ...difference, count, examples })),
      further: this.#further,
    };
  }
}

interface Tallied {
  readonly difference: Difference;
  count: number;
  readonly examples: ShadowExample[];
}

/** No part can be taken for another, whatever a policy's reason has in it. */
function keyOf({ kind, active, candidate, differs }: Difference): string {
  return JSON.stringify([kind, active.reason, candidate.reason, differs]);
}

/** Of a candidate that nothing is compared with. */
export function idleReport(
  candidate: ActivePolicy,
  active: ActivePolicy | undefined,
  sinceMs: number,
): ShadowReport {
  return {
    application: candidate.application,
    state: active === undefined ? "without-active" : "identical",
    active: active && bundleOf(active),
    candidate: bundleOf(candidate),
    ...{ sinceMs, counts: nothing, overruns: 0, differences: [], further: 0 },
  };
}

function bundleOf({ revision, digest }: ActivePolicy): ShadowedBundle {
  return { revision, digest };
}
