// The policies that ship, the example and the seed decide the same whether they are given what they
// read or everything.
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import type { ActivePolicy } from "../../src/bundle/active-policy.ts";
import { everythingRead } from "../../src/bundle/parts-read.ts";
import type { Decision } from "../../src/decision/decision.ts";
import type { JsonObject } from "../../src/decision/json.ts";
import type { PermissionSet } from "../../src/decision/permission-set.ts";
import type { AccessRequest } from "../../src/decision/request.ts";
import { createPipeline } from "../../src/pipeline/create-pipeline.ts";
import { activatePolicies } from "../golden/case-policies.ts";
import { manualClock } from "../support/manual-clock.ts";
import { conditionClass, permissionSet, roleGrant } from "../support/permission-set.ts";
import { accessRequest, callFrom, catalogueOf, pipelineOptions } from "../support/pipeline.ts";

const RUNS = 600;
const resources = ["agent", "dataset", "invoice", "model", "plan"];
const actions = ["approve", "deploy", "execute", "read"];
const permissions = resources.flatMap((type) => actions.map((action) => `${type}:${action}`));
const levels = ["public", "internal", "sensitive", "secret", "top-secret", "odd"];
const people = ["user-123", "user-456", ""];

const from = fc.constantFrom;
/** Members that are there or not, of these values. */
function some(values: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<JsonObject> {
  return fc.record(values, { requiredKeys: [] }) as fc.Arbitrary<JsonObject>;
}

const properties = some({
  owner: from(...people),
  creator: from(...people, null),
  classification: from(...levels, false),
  customer: from(...people, 1),
  amount: from(0, 1_001, 10_001, "many"),
  project: fc.string(),
});
const context = some({
  ip: from("10.1.2.3", "8.8.8.8"),
  userAgent: fc.string(),
  mfa: some({ verified_at: from("2026-01-05T10:00:00Z", "never"), method: fc.string() }),
  time: some({ hour: from(10) }),
  authentication: from("mtls"),
});
const requests: fc.Arbitrary<AccessRequest> = fc
  .record({
    type: from(...resources),
    action: from(...actions),
    id: from("x-1", undefined),
    properties,
    context,
  })
  .map(({ type, action, id, properties, context }) =>
    accessRequest({
      resource: { type, id, properties },
      action: { name: action, properties: {} },
      context,
    }),
  );
const sets: fc.Arbitrary<PermissionSet> = fc
  .record({
    attributes: some({ clearance: from(...levels) }),
    groups: fc.subarray(["billing/clerks", "staff"]),
    mfa: from("none" as const, "required" as const),
    role: from("admin", "developer", "user"),
    patterns: fc.subarray(["*:*", "agent:*", ...permissions], { maxLength: 6 }),
  })
  .map(({ attributes, groups, mfa, role, patterns }) =>
    permissionSet({
      attributes,
      groups,
      classes: [conditionClass({ mfa }, [roleGrant(role, patterns)])],
    }),
  );
/** Hours from a Monday at eleven, in business and out of it. */
const hours = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 7 * 24 }));

const options = pipelineOptions({
  applications: {
    platform: {
      mfaMaxAgeSeconds: 900,
      zone: "Europe/Oslo",
      unknownSubjects: "deny",
      businessHours: { days: ["Monday", "Friday"], from: "09:00", to: "17:00" },
    },
  },
});
const clock = manualClock();
const start = clock.wallMs();

/** The policy in force for `platform`. */
async function activate(fixture: string | undefined): Promise<ActivePolicy> {
  const policies = await activatePolicies({
    golden: { policies: fixture === undefined ? {} : { platform: fixture } } as never,
    options,
    catalogues: new Map([["platform", catalogueOf(permissions)]]),
    clock,
  });
  return policies.get("platform")!;
}

describe.each([
  ["platform", undefined, ["permission", "missing", "deny", "mfa_required"]],
  ["gateway", "gateway", ["permission", "missing", "deny"]],
  ["billing", "billing", ["permission", "missing", "deny", "mfa_required", "policy"]],
  ["the seed's policy", "seed-v0", ["permission", "missing", "deny", "mfa_required", "policy"]],
])("%s", (_, fixture, kinds) => {
  let active: ActivePolicy;
  beforeAll(async () => {
    active = await activate(fixture);
  });

  it("decides the same by what it reads as by everything", () => {
    expect(active.reads).not.toBe(everythingRead);
    const reasons = new Set<string>();
    fc.assert(
      fc.property(requests, sets, hours, (request, set, hour) => {
        clock.stepWall(start + hour * 3_600_000 - clock.wallMs());
        const decision = decide(active, request, set);
        reasons.add(decision.reason.split(":")[0]!);
        const whole = decide({ ...active, reads: everythingRead }, request, set);
        expect(decision).toEqual(whole);
      }),
      { numRuns: RUNS },
    );
    expect([...reasons]).toEqual(expect.arrayContaining(kinds));
  });
});

function decide(active: ActivePolicy, request: AccessRequest, set: PermissionSet): Decision {
  const pipeline = createPipeline({
    policies: { get: () => active },
    permissionSets: { get: () => set },
    clock,
    createId: () => "id",
    meter: silentMeter,
    logger: silentLogger,
    options,
  });
  return pipeline.check(request, callFrom()) as Decision;
}
