import { emptyObject } from "../../src/decision/json.ts";
import type {
  ConditionClass,
  Conditions,
  GrantPath,
  PermissionSet,
} from "../../src/decision/permission-set.ts";

/** Conditions that always hold, but for those given. */
export function conditions(given: Partial<Conditions> = {}): Conditions {
  return {
    expiresAtMs: undefined,
    scope: undefined,
    ipWhitelists: [],
    authentication: undefined,
    mfa: "none",
    ...given,
  };
}

/** A role assigned by hand that holds `patterns`. */
export function roleGrant(role: string, patterns: readonly string[]): GrantPath {
  return { source: "manual", path: [`role:${role}`], role, patterns, limits: emptyObject };
}

/** Grants under one condition. */
export function conditionClass(
  given: Partial<Conditions>,
  grants: readonly GrantPath[],
): ConditionClass {
  return { conditions: conditions(given), grants };
}

/** The set of the active user `user-123` in `platform`, generation 7, but for what is given. */
export function permissionSet(given: Partial<PermissionSet> = {}): PermissionSet {
  return {
    application: "platform",
    subject: { id: "user-123", type: "user" },
    status: "active",
    attributes: Object.create(null),
    groups: [],
    classes: [],
    generation: 7,
    validUntilMs: undefined,
    ...given,
  };
}
