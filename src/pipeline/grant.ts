import type { AllowBasis, Obligation, Reason } from "../decision/decision.ts";
import type { JsonObject } from "../decision/json.ts";
import type { ConditionClass, GrantPath } from "../decision/permission-set.ts";
import type { AccessRequest } from "../decision/request.ts";
import { type Circumstances, unmet, unmetConditions } from "./activation.ts";
import { type CoveringPatterns, coveringPattern, coveringPatterns } from "./coverage.ts";
import type { CompiledSet, Variant } from "./variant.ts";

/** Of the answers remembered per variant; an application without a catalogue has no end of them. */
const BASES_MAX = 1024;

interface Candidate {
  readonly pattern: string;
  readonly path: readonly string[];
  readonly obligations: readonly Obligation[];
}

/** What is asked, and how old evidence may be. */
export interface GrantQuestion {
  readonly request: AccessRequest;
  /** `resource:action` */
  readonly permission: string;
  readonly mfaMaxAgeSeconds: number;
}

/**
 * The active grant that covers the permission, as the basis of an allow; `undefined` if none does.
 * Of several: the one with the fewest obligations, then the shortest path, then the first by name.
 * Remembered, because looking through 10,000 patterns takes longer than the rest of a decision.
 */
export function grantBasis(variant: Variant, question: GrantQuestion): AllowBasis | undefined {
  const { permission } = question;
  const known = variant.bases.get(permission);
  if (known !== undefined || variant.bases.has(permission)) return known;
  const basis = findBasis(variant, question);
  if (variant.bases.size >= BASES_MAX) variant.bases.clear();
  variant.bases.set(permission, basis);
  return basis;
}

/**
 * Why a grant that covers the permission is not active. Grants that have expired are gone, and
 * one that misses MFA alone is never mentioned. Of several reasons: ip, scope, authentication.
 */
export function restrictionReason(
  compiled: CompiledSet,
  request: AccessRequest,
  circumstances: Circumstances,
): Extract<Reason, `restriction:${string}`> | undefined {
  const covering = coveringPatterns(request.resource.type, request.action.name);
  let all: number = unmet.none;
  for (const one of compiled.conditional) {
    const missing = unmetConditions(one, circumstances, true);
    if (missing === unmet.none || (missing & unmet.expiry) !== 0) continue;
    if (covers(one.source, covering)) all |= missing;
  }
  if ((all & unmet.ip) !== 0) return "restriction:ip";
  if ((all & unmet.scope) !== 0) return "restriction:scope";
  return (all & unmet.authentication) !== 0 ? "restriction:authentication" : undefined;
}

/** An obligation that speaks of MFA evidence. */
export function mfaObligation(
  type: "step-up" | "mfa-recommended",
  maxAgeSeconds: number,
): Obligation {
  const properties: JsonObject = Object.assign(Object.create(null), {
    max_age_seconds: maxAgeSeconds,
  });
  return { type, properties };
}

function findBasis(variant: Variant, question: GrantQuestion): AllowBasis | undefined {
  const { resource, action } = question.request;
  const covering = coveringPatterns(resource.type, action.name);
  let best: Candidate | undefined;
  for (const { conditions, grants } of variant.active) {
    const recommended = conditions.mfa === "recommended" && !variant.mfaVerified;
    for (const grant of grants) {
      const pattern = coveringPattern(grant, covering);
      if (pattern === undefined) continue;
      const obligations = grantObligations(grant, recommended, question.mfaMaxAgeSeconds);
      const candidate = { pattern, path: grant.path, obligations };
      if (best === undefined || isBetter(candidate, best)) best = candidate;
    }
  }
  if (best === undefined) return undefined;
  return {
    reason: `permission:${resource.type}:${action.name}`,
    obligations: best.obligations,
    grant: { pattern: best.pattern, path: best.path },
    roles: variant.roles,
  };
}

function grantObligations(
  grant: GrantPath,
  recommended: boolean,
  mfaMaxAgeSeconds: number,
): readonly Obligation[] {
  const obligations: Obligation[] = [];
  if (recommended) obligations.push(mfaObligation("mfa-recommended", mfaMaxAgeSeconds));
  if (Object.keys(grant.limits).length > 0) {
    obligations.push({ type: "limits", properties: grant.limits });
  }
  return obligations;
}

function isBetter(one: Candidate, other: Candidate): boolean {
  if (one.obligations.length !== other.obligations.length) {
    return one.obligations.length < other.obligations.length;
  }
  if (one.path.length !== other.path.length) return one.path.length < other.path.length;
  // A separator that no name contains, so that the order of paths is the order of their steps.
  const [path, otherPath] = [one.path.join("\u0000"), other.path.join("\u0000")];
  // `*` sorts before every letter, so the later pattern is the more specific one.
  return path === otherPath ? one.pattern > other.pattern : path < otherPath;
}

function covers(source: ConditionClass, covering: CoveringPatterns): boolean {
  return source.grants.some((grant) => coveringPattern(grant, covering) !== undefined);
}
