import type { Clock } from "../base/clock.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { CacheOptions } from "./options.ts";

const SPREAD = 0.2;

/** The longest that a tier may serve a set: whoever does not exist, for a moment only. */
export function ttlMaxMs(
  set: PermissionSet,
  { ttlMs, negativeTtlMs }: Pick<CacheOptions, "ttlMs" | "negativeTtlMs">,
): number {
  return set.status === "unknown" ? Math.min(ttlMs, negativeTtlMs) : ttlMs;
}

/**
 * Shortens a lifetime by up to a fifth, `random` being uniform in [0, 1), so that sets stored
 * together are not read together again, and none outlives the published bound.
 */
export function spreadTtlMs(ttlMs: number, random: () => number): number {
  return ttlMs * (1 - SPREAD * random());
}

/** Whether the earliest expiry inside the set has passed, by the wall clock. */
export function isExpired({ validUntilMs }: PermissionSet, clock: Pick<Clock, "wallMs">): boolean {
  return validUntilMs !== undefined && clock.wallMs() >= validUntilMs;
}
