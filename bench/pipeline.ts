// What check() costs around a policy that answers at once, with the permission set at hand.
// In processor time, so that other work on the machine does not count.
// node bench/pipeline.ts [seconds]

import { systemClock } from "../src/base/clock.ts";
import { silentLogger } from "../src/base/logger.ts";
import { silentMeter } from "../src/base/meter.ts";
import { createUuidV7 } from "../src/base/uuid-v7.ts";
import type { ActivePolicy } from "../src/bundle/active-policy.ts";
import { everythingRead } from "../src/bundle/parts-read.ts";
import type { JsonObject } from "../src/decision/json.ts";
import type { AccessRequest } from "../src/decision/request.ts";
import { createPipeline } from "../src/pipeline/create-pipeline.ts";
import { conditionClass, permissionSet, roleGrant } from "../test/support/permission-set.ts";
import { accessRequest, callFrom, catalogueOf, pipelineOptions } from "../test/support/pipeline.ts";

const ROUND = 2_000;
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
  reads: everythingRead,
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
const large = permissionSet({
  classes: [
    conditionClass({}, [
      roleGrant(
        "everything",
        Array.from({ length: 10_000 }, (_, index) => `agent:execute-${index}`),
      ),
      developer,
    ]),
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
  ["allow, properties, 10,000 patterns", true, large, full],
  ["deny (two evaluations)", false, plain, full],
];

// Twice: what is compiled for the first case alone says little about a process that serves all.
for (const isWarm of [false, true]) {
  for (const [name, allows, set, request] of cases) {
    const median = medianOf(allows, set, request);
    if (isWarm) process.stdout.write(`${name.padEnd(40)} ${median.toFixed(2)} µs\n`);
  }
}

function medianOf(allows: boolean, set: typeof plain, request: AccessRequest): number {
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
  const endMs = performance.now() + (seconds * 1000) / 2;
  while (performance.now() < endMs) {
    const before = process.cpuUsage();
    for (let index = 0; index < ROUND; index += 1) pipeline.check(request, call);
    const { user, system } = process.cpuUsage(before);
    rounds.push((user + system) / ROUND);
  }
  return rounds.sort((one, other) => one - other)[Math.floor(rounds.length / 2)]!;
}
