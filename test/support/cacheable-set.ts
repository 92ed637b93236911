import { emptyObject } from "../../src/decision/json.ts";
import type { PermissionSet } from "../../src/decision/permission-set.ts";

/** What a test of caches says of a set. */
export interface CacheableSet {
  readonly application?: string;
  readonly subjectId?: string;
  readonly generation?: number;
  readonly status?: PermissionSet["status"];
  readonly validUntilMs?: number;
  readonly patterns?: readonly string[];
}

/** A set of `user-1` in `platform` at generation 1, unless said otherwise. */
export function cacheableSet(says: CacheableSet = {}): PermissionSet {
  const { patterns = [] } = says;
  return {
    application: says.application ?? "platform",
    subject: { id: says.subjectId ?? "user-1", type: "user" },
    status: says.status ?? "active",
    attributes: emptyObject,
    groups: [],
    classes: [
      {
        conditions: {
          expiresAtMs: says.validUntilMs,
          scope: undefined,
          ipWhitelists: [],
          authentication: undefined,
          mfa: "none",
        },
        grants: [
          { source: "manual", path: ["direct"], role: undefined, patterns, limits: emptyObject },
        ],
      },
    ],
    generation: says.generation ?? 1,
    validUntilMs: says.validUntilMs,
  };
}
