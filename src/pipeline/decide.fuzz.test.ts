import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conditionClass, permissionSet, roleGrant } from "../../test/support/permission-set.ts";
import { accessRequest, callFrom, stagePipeline } from "../../test/support/pipeline.ts";
import type { JsonObject, JsonValue } from "../decision/json.ts";
import { patternCovers } from "../decision/names.ts";
import type { Conditions } from "../decision/permission-set.ts";
import type { EvaluationResult } from "../engine/policy.ts";

const known = ["allow", "allowed", "deny", "denies", "mfa_required", "reason", "obligations"];
const telling = [true, false, null, "true", 1, [], {}, ["id"], [true], { id: true }];
const member = fc.oneof(fc.constantFrom<JsonValue>(...telling), fc.jsonValue({ maxDepth: 2 }));

/** Anything, and documents that are nearly right. */
const results = fc.oneof(
  fc.constant(undefined),
  fc.jsonValue({ maxDepth: 2 }),
  fc.dictionary(fc.constantFrom(...known), member),
) as fc.Arbitrary<JsonValue | undefined>;

/** Whether a value fires as a deny, by the letter of the contract. */
function fires(value: JsonValue | undefined): boolean {
  return value !== undefined && value !== false && JSON.stringify(value).length > "[]".length;
}

/** The value as it is, even where it looks like a result of the engine. */
function asResult(value: JsonValue | undefined): EvaluationResult {
  return value === undefined ? { kind: "undefined" } : { kind: "value", value };
}

/** Whether anything in the result speaks against an allow. */
function mayAllow(result: JsonValue | undefined): boolean {
  if (result === true) return true;
  if (typeof result !== "object" || result === null || Array.isArray(result)) return false;
  const { allow, allowed, deny, denies } = result as JsonObject;
  const allows = [allow, allowed].filter((value) => value !== undefined);
  return (
    allows.length > 0 && allows.every((value) => value === true) && ![deny, denies].some(fires)
  );
}

describe("whatever a policy returns", () => {
  const set = permissionSet({ classes: [conditionClass({}, [roleGrant("x", ["*:*"])])] });
  const fresh: JsonObject = { mfa: { verified_at: "2026-01-05T10:00:00Z" } };

  it("is an allow only if allow is exactly true and no deny fires", () => {
    let returns: (mfaVerified: boolean) => JsonValue | undefined;
    const staged = stagePipeline({
      set,
      script: ({ user }) => asResult(returns(user["mfaVerified"] === true)),
    });
    fc.assert(
      fc.property(results, results, fc.boolean(), (first, second, isFresh) => {
        returns = (mfaVerified) => (mfaVerified ? second : first);
        const decision = staged.decide(isFresh ? { context: fresh } : {});
        if (decision.allowed) expect(mayAllow(isFresh ? second : first)).toBe(true);
        if (decision.mfaRequired) expect(mayAllow(second)).toBe(true);
        expect(decision.allowed && decision.mfaRequired).toBe(false);
        expect(decision.reason).toMatch(
          /^(permission|policy|missing|restriction|deny|mfa_required|indeterminate)(:|$)/,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it("is an allow by rules only if allow is exactly true and deny is silent", () => {
    let rules: readonly (JsonValue | undefined)[];
    const staged = stagePipeline({
      set,
      active: { entrypoints: { kind: "rules", allow: 0, deny: 1, mfaRequired: 2 } },
      script: ({ entrypoint }) => asResult(rules[entrypoint]),
    });
    fc.assert(
      fc.property(results, results, results, (allow, deny, mfa) => {
        rules = [allow, deny, mfa];
        const decision = staged.decide();
        if (decision.allowed || decision.mfaRequired) {
          expect(allow).toBe(true);
          expect(fires(deny)).toBe(false);
        }
        if (decision.allowed) expect(fires(mfa)).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("activation", () => {
  const nowMs = Date.parse("2026-01-05T10:00:00Z");
  const conditions: fc.Arbitrary<Conditions> = fc.record({
    expiresAtMs: fc.constantFrom(undefined, nowMs - 1, nowMs, nowMs + 1),
    scope: fc.constantFrom(undefined, { project: ["alpha"] }, { id: ["a-*"], project: ["*"] }),
    ipWhitelists: fc.constantFrom([], [["10.0.0.0/8"]], [["10.0.0.0/8"], ["10.1.0.0/16", "::/0"]]),
    authentication: fc.constantFrom(undefined, "mtls" as const),
    mfa: fc.constantFrom("none" as const, "recommended" as const, "required" as const),
  });
  const patterns = fc.constantFrom("agent:execute", "agent:*", "*:execute", "*:*", "agent:read");
  const classes = fc.array(
    fc.tuple(conditions, fc.array(patterns, { minLength: 1, maxLength: 2 })),
    { maxLength: 40 },
  );
  const requests = fc.record({
    ip: fc.constantFrom(undefined, "10.1.2.3", "10.2.2.3", "::ffff:10.1.2.3", "8.8.8.8", "x"),
    project: fc.constantFrom(undefined, "alpha", "beta"),
    id: fc.constantFrom(undefined, "a-1", "b-1"),
    mtls: fc.boolean(),
    fresh: fc.boolean(),
  });
  type Asked = typeof requests extends fc.Arbitrary<infer T> ? T : never;

  /** The table of conditions, written down once more in the plainest way. */
  function holds(one: Conditions, { ip, project, id, mtls, fresh }: Asked): boolean {
    const inTen = ip !== undefined && (ip.startsWith("10.") || ip.startsWith("::ffff:10."));
    const inTenOne = inTen && ip.includes("10.1.");
    const inProject = one.scope?.["id"] === undefined ? project === "alpha" : project !== undefined;
    const inId = one.scope?.["id"] === undefined || (id?.startsWith("a-") ?? false);
    return (
      (one.expiresAtMs === undefined || one.expiresAtMs > nowMs) &&
      (one.scope === undefined || (inProject && inId)) &&
      (one.ipWhitelists.length < 1 || inTen) &&
      (one.ipWhitelists.length < 2 || inTenOne) &&
      (one.authentication === undefined || mtls) &&
      (one.mfa !== "required" || fresh)
    );
  }

  it("agrees with the table, from one set for many requests", () => {
    fc.assert(
      fc.property(classes, fc.array(requests, { maxLength: 6 }), (given, asked) => {
        const set = permissionSet({
          classes: given.map(([conditions, patterns], index) => ({
            conditions,
            grants: [roleGrant(`role-${index}`, patterns)],
          })),
        });
        const staged = stagePipeline({
          set,
          script: ({ user }) => (user["permissions"] as string[]).includes("agent:execute"),
        });
        for (const one of asked) {
          const context: Record<string, JsonValue> = {};
          if (one.ip !== undefined) context["ip"] = one.ip;
          if (one.mtls) context["authentication"] = "mtls";
          if (one.fresh) context["mfa"] = { verified_at: "2026-01-05T10:00:00Z" };
          const properties: JsonObject = one.project === undefined ? {} : { project: one.project };
          const request = accessRequest({
            context,
            resource: { type: "agent", id: one.id, properties },
          });
          const active = given.filter(([conditions]) => holds(conditions, one));
          const grants = active.some(([, patterns]) =>
            patterns.some((pattern) => patternCovers(pattern, "agent", "execute")),
          );
          const before = staged.seen.length;
          expect(staged.check(request, callFrom())).toMatchObject({ allowed: grants });
          const roles = given.flatMap(([conditions], index) =>
            holds(conditions, one) ? [`role-${index}`] : [],
          );
          expect(staged.seen[before]!.user["roles"]).toEqual(roles.sort());
        }
      }),
      { numRuns: 300 },
    );
  });
});
