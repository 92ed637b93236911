import { parseRfc3339 } from "../base/rfc3339.ts";
import type { JsonObject } from "../decision/json.ts";

const FUTURE_MAX_MS = 30_000;

/** What makes evidence fresh. */
export interface Freshness {
  readonly nowMs: number;
  readonly maxAgeSeconds: number;
}

/**
 * Whether `context.mfa.verified_at` is fresh: not older than the limit, and not more than 30 s in
 * the future, which no honest clock is. Anything unreadable is no evidence.
 */
export function isFreshEvidence(context: JsonObject, freshness: Freshness): boolean {
  const mfa = Object.hasOwn(context, "mfa") ? context["mfa"] : undefined;
  if (typeof mfa !== "object" || mfa === null || !Object.hasOwn(mfa, "verified_at")) return false;
  const verifiedAt = (mfa as JsonObject)["verified_at"];
  const verifiedAtMs = typeof verifiedAt === "string" ? parseRfc3339(verifiedAt) : undefined;
  if (verifiedAtMs === undefined) return false;
  const ageMs = freshness.nowMs - verifiedAtMs;
  return ageMs <= freshness.maxAgeSeconds * 1000 && ageMs >= -FUTURE_MAX_MS;
}
