// What check() costs around a policy that answers at once, with the permission set at hand.
// node bench/pipeline.ts [seconds]

import { systemClock } from "../src/base/clock.ts";
import { silentLogger } from "../src/base/logger.ts";
import { silentMeter } from "../src/base/meter.ts";
import { createUuidV7 } from "../src/base/uuid-v7.ts";
import type { ActivePolicy } from "../src/bundle/active-policy.ts";
import type { JsonObject } from "../src/decision/json.ts";
import type { AccessRequest } from "../src/decision/request.ts";
import { createPipeline } from "../src/pipeline/create-pipeline.ts";
import { conditionClass, permissionSet, roleGrant } from "../test/support/permission-set.ts";
import { accessRequest, callFrom, catalogueOf, pipelineOptions } from "../test/support/pipeline.ts";

const seconds = Number(process.argv[2] ?? 2);
const catalogue = catalogueOf(["agent:execute", "agent:read", "admin:configure"]);

function object(members: Record<string, unknown>): JsonObject {
  return Object.assign(Object.create(null), members);
}

const policy = (allow: boolean): ActivePolicy => ({
  application: "platform",
  revision: "r1",
  digest: "d1",
  policy: {
    entrypoints: new Map([["platform/decision", 0]]),
    evaluate: () => ({ kind: "value", value: object({ allow, deny: [], mfa_required: false }) }),
    memoryBytes: () => 0,
  },
  entrypoints: { kind: "document", document: 0 },
  catalogue,
  wantsArrays: false,
});

const developer = roleGrant("developer", ["agent:*"]);
const plain = permissionSet({ classes: [conditionClass({}, [developer])] });
const conditioned = permissionSet({
  classes: [
    conditionClass({}, [roleGrant("user", ["agent:read"])]),
    conditionClass({ mfa: "required", ipWhitelists: [["10.0.0.0/8", "192.168.0.0/16"]] }, [
      roleGrant("admin", ["*:*"]),
    ]),
    conditionClass({ scope: { project: ["alpha"] }, expiresAtMs: 4e12 }, [developer]),
  ],
});
const bare = accessRequest();
const full = accessRequest({
  resource: {
    type: "agent",
    id: "agent-7",
    properties: object({ owner: "user-123", project: "alpha", classification: "internal" }),
  },
  context: object({ ip: "10.1.2.3", userAgent: "curl/8.5.0" }),
});

const cases: [string, boolean, typeof plain, AccessRequest][] = [
  ["allow, no properties, no conditions", true, plain, bare],
  ["allow, properties and context", true, plain, full],
  ["allow, properties, conditions", true, conditioned, full],
  ["deny (two evaluations)", false, plain, full],
];

for (const [name, allows, set, request] of cases) {
  const active = policy(allows);
  const pipeline = createPipeline({
    policies: { get: () => active },
    permissionSets: { get: () => set },
    clock: systemClock,
    createId: createUuidV7(systemClock),
    meter: silentMeter,
    logger: silentLogger,
    options: pipelineOptions(),
  });
  const call = callFrom();
  const rounds: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) {
    const startMs = performance.now();
    for (let index = 0; index < 2_000; index += 1) pipeline.check(request, call);
    rounds.push((performance.now() - startMs) / 2);
  }
  rounds.sort((one, other) => one - other);
  const median = rounds[Math.floor(rounds.length / 2)]!;
  process.stdout.write(`${name.padEnd(40)} ${median.toFixed(2)} µs\n`);
}
