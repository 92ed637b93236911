import { isDeepStrictEqual } from "node:util";
import type { Decision, Reason } from "../decision/decision.ts";

/** What the policy in force or the candidate has said. */
export interface ShadowAnswer {
  readonly decision: Pick<Decision, "allowed" | "reason" | "obligations">;
  /** What it said besides; `undefined` = nothing. */
  readonly detail: unknown;
}

/** In which way the candidate differs. */
export type DifferenceKind =
  | "newly-allowed"
  | "newly-denied"
  /** Allowed or denied as before, for another reason, or with something else besides. */
  | "changed"
  /** The candidate has no answer, so that it would deny. */
  | "failed";

/** A decision, as far as it is compared. */
export interface ShadowOutcome {
  readonly allowed: boolean;
  readonly reason: Reason;
}

/** How the candidate's answer differs from the one that was given. */
export interface Difference {
  readonly kind: DifferenceKind;
  readonly active: ShadowOutcome;
  readonly candidate: ShadowOutcome;
  /** Names of what differs besides: `obligations`, `headers`, `status`, …; sorted, no values. */
  readonly differs: readonly string[];
}

/** Compares two answers to one request; `undefined` = they are the same. */
export function compareAnswers(
  active: ShadowAnswer,
  candidate: ShadowAnswer,
): Difference | undefined {
  const before = outcomeOf(active);
  const after = outcomeOf(candidate);
  const outcomes = { active: before, candidate: after };
  if (isFailure(after.reason) && after.reason !== before.reason) {
    return { kind: "failed", ...outcomes, differs: [] };
  }
  if (before.allowed !== after.allowed) {
    const kind = after.allowed ? "newly-allowed" : "newly-denied";
    return { kind, ...outcomes, differs: [] };
  }
  const differs = differingParts(active, candidate);
  if (differs.length === 0 && before.reason === after.reason) return undefined;
  return { kind: "changed", ...outcomes, differs };
}

function outcomeOf({ decision: { allowed, reason } }: ShadowAnswer): ShadowOutcome {
  return { allowed, reason };
}

function isFailure(reason: Reason): boolean {
  return reason.startsWith("indeterminate:") || reason.startsWith("unavailable:");
}

function differingParts(active: ShadowAnswer, candidate: ShadowAnswer): readonly string[] {
  const obligations = isDeepStrictEqual(
    active.decision.obligations,
    candidate.decision.obligations,
  );
  const before = membersOf(active.detail);
  const after = membersOf(candidate.detail);
  const names = new Set([...before.keys(), ...after.keys()]);
  const details = [...names].filter(
    (name) => !isDeepStrictEqual(before.get(name), after.get(name)),
  );
  return [...(obligations ? [] : ["obligations"]), ...details.map(snakeCase)].sort();
}

/** Of an object; what is none counts as a whole. */
function membersOf(detail: unknown): ReadonlyMap<string, unknown> {
  if (detail === undefined) return new Map();
  if (typeof detail !== "object" || detail === null) return new Map([["detail", detail]]);
  return new Map(Object.entries(detail));
}

/** As in options and documents. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
