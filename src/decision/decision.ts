import { PdpError } from "./error.ts";
import type { JsonObject } from "./json.ts";

/** What the PEP must do, or should know, besides the answer. */
export interface Obligation {
  /** `step-up`, `mfa-recommended`, `limits`, or a name of the policy's own. */
  readonly type: string;
  readonly properties: JsonObject;
}

/** By what the subject has the permission. */
export interface Grant {
  /** The pattern that matched, e.g. `agent:*`. */
  readonly pattern: string;
  /** From the source to the role that holds the pattern, e.g. `group:x`, `role:developer`. */
  readonly path: readonly string[];
}

/** Why evaluation gave nothing usable; the suffix of `indeterminate:<why>`. */
export type IndeterminateReason = "trap" | "conflict" | "budget" | "result" | "input";

/** The closed list of reasons; the same text in answers, logs and metrics. */
export type Reason =
  | `permission:${string}:${string}`
  | `policy:${string}`
  | `missing:${string}:${string}`
  | `restriction:${"ip" | "scope" | "authentication"}`
  | `deny:${string}`
  | "mfa_required"
  | "unknown_subject"
  | "subject_disabled"
  | `unknown:${string}:${string}`
  | "unmapped_route"
  | `indeterminate:${IndeterminateReason}`
  | `unavailable:${string}`;

/** Those that deny. */
export type DenyReason = Exclude<Reason, `permission:${string}` | `policy:${string}`>;

/** What is true of a decision whichever way it went. */
export interface DecisionFrame {
  /** UUIDv7. */
  readonly decisionId: string;
  readonly application: string;
  /** Revision of the bundle that was evaluated. */
  readonly revision: string;
  /** Generation of the permission set that was used; 0 where none was needed. */
  readonly generation: number;
  /**
   * Milliseconds since the permission set was last known to be true, where it was used beyond its
   * time, since it can't be read anew; else 0.
   */
  readonly stalenessMs: number;
}

/** What the PDP answers. Made by `allow` and `deny` alone. */
export interface Decision extends DecisionFrame {
  readonly allowed: boolean;
  readonly reason: Reason;
  /** The answer would be an allow with fresh MFA evidence. */
  readonly mfaRequired: boolean;
  readonly obligations: readonly Obligation[];
  readonly grant: Grant | undefined;
  /** Of an allow: the roles that the subject has here, sorted; none where a policy alone decides. */
  readonly roles: readonly string[];
}

/** What entitles to an allow. */
export interface AllowBasis {
  readonly reason: `permission:${string}:${string}` | `policy:${string}`;
  readonly obligations: readonly Obligation[];
  /** Present for a `permission:` reason. */
  readonly grant: Grant | undefined;
  /** As in `Decision`. */
  readonly roles: readonly string[];
}

/** The one place where an allow comes into being. */
export function allow(frame: DecisionFrame, basis: AllowBasis): Decision {
  return {
    allowed: true,
    reason: basis.reason,
    mfaRequired: false,
    obligations: basis.obligations,
    grant: basis.grant,
    roles: basis.roles,
    decisionId: frame.decisionId,
    application: frame.application,
    revision: frame.revision,
    generation: frame.generation,
    stalenessMs: frame.stalenessMs,
  };
}

/**
 * Whether a door may write an allow. Throws `PdpError` `internal` for one that contradicts itself.
 */
export function isAllow({ allowed, reason }: Pick<Decision, "allowed" | "reason">): boolean {
  if (allowed !== true) return false;
  if (reason.startsWith("permission:") || reason.startsWith("policy:")) return true;
  throw new PdpError("internal", "internal error", {
    cause: new Error(`an allow with the reason of a deny: ${reason}`),
  });
}

const noRoles: readonly string[] = Object.freeze([]);

/** A deny for `reason`; `mfa_required` is the one reason that also sets `mfaRequired`. */
export function deny(
  frame: DecisionFrame,
  reason: DenyReason,
  obligations: readonly Obligation[] = [],
): Decision {
  return {
    allowed: false,
    reason,
    mfaRequired: reason === "mfa_required",
    obligations,
    grant: undefined,
    roles: noRoles,
    decisionId: frame.decisionId,
    application: frame.application,
    revision: frame.revision,
    generation: frame.generation,
    stalenessMs: frame.stalenessMs,
  };
}
