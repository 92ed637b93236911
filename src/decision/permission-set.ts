import type { Clock } from "../base/clock.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import type { SubjectType } from "./request.ts";

/** Where an assignment comes from. */
export type AssignmentSource = "manual" | "group" | "claim" | "scim" | "default";

export type MfaRule = "required" | "recommended" | "none";

/**
 * What must hold in a request for a grant to exist in it; the conjunction of everything on the
 * grant's path.
 */
export interface Conditions {
  /** The grant ends at this instant (ms since the epoch); `undefined` = never. */
  readonly expiresAtMs: number | undefined;
  /** Property name → accepted values, `*` at the end of a value only; every name must match. */
  readonly scope: Readonly<Record<string, readonly string[]>> | undefined;
  /** Each list is one role's whitelist (CIDR text); the address must be in each of them. */
  readonly ipWhitelists: readonly (readonly string[])[];
  readonly authentication: "mtls" | undefined;
  readonly mfa: MfaRule;
}

/** One step of one path: the patterns that one role, or a direct assignment, contributes. */
export interface GrantPath {
  readonly source: AssignmentSource;
  /** For example `["group:llm-platform/developers", "role:developer", "role:user"]`. */
  readonly path: readonly string[];
  /** The role that this step is; `undefined` for permissions granted directly. */
  readonly role: string | undefined;
  readonly patterns: readonly string[];
  /** Limits the PEP enforces (`maxConcurrentJobs`, …), merged along the path. */
  readonly limits: JsonObject;
}

/** Grants that stand and fall together, because their conditions are the same. */
export interface ConditionClass {
  readonly conditions: Conditions;
  readonly grants: readonly GrantPath[];
}

/** Names that the policy's input has for the directory's own facts; no attribute has one. */
export const reservedAttributes: ReadonlySet<string> = new Set([
  "id",
  "type",
  "roles",
  "permissions",
  "groups",
  "mfaVerified",
]);

/**
 * What a subject can do in an application, as of one generation. Immutable; a cached set may be
 * used only if its generation satisfies the request and `validUntilMs` has not passed.
 */
export interface PermissionSet {
  readonly application: string;
  readonly subject: { readonly id: string; readonly type: SubjectType };
  readonly status: "active" | "unknown" | "disabled";
  /** Contains none of `reservedAttributes`. */
  readonly attributes: Readonly<Record<string, JsonValue>>;
  readonly groups: readonly string[];
  readonly classes: readonly ConditionClass[];
  /** The directory's commit sequence as of which the set was resolved. */
  readonly generation: number;
  /** Earliest expiry inside the set (ms since the epoch); `undefined` = none. */
  readonly validUntilMs: number | undefined;
  /**
   * When (`Clock.monotonicMs`) it was last known to be true: only of a set that is used beyond its
   * time, since it can't be read anew.
   */
  readonly lastKnownMs?: number;
}

/** Milliseconds since the set was last known to be true, where it is used beyond its time; else 0. */
export function stalenessMs(
  { lastKnownMs }: Pick<PermissionSet, "lastKnownMs">,
  clock: Pick<Clock, "monotonicMs">,
): number {
  return lastKnownMs === undefined ? 0 : clock.monotonicMs() - lastKnownMs;
}
