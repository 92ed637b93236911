import { beforeEach, describe, expect, it } from "vitest";
import { type ManualClock, manualClock } from "../../test/support/manual-clock.ts";
import { type ManualTimers, manualTimers } from "../../test/support/manual-timers.ts";
import { type NotingMeter, notingMeter } from "../../test/support/noting-meter.ts";
import { permissionSet } from "../../test/support/permission-set.ts";
import {
  accessRequest,
  callFrom,
  catalogueOf,
  pipelineOptions,
} from "../../test/support/pipeline.ts";
import { silentLogger } from "../base/logger.ts";
import type { ActivePolicy } from "../bundle/active-policy.ts";
import type { Candidate } from "../bundle/candidates.ts";
import { everythingRead } from "../bundle/parts-read.ts";
import type { JsonValue } from "../decision/json.ts";
import type { AccessRequest } from "../decision/request.ts";
import type { Evaluation, EvaluationResult } from "../engine/policy.ts";
import { createPipeline } from "./create-pipeline.ts";
import type { Pipeline, PolicyQuery } from "./pipeline.ts";
import { createShadow, type Shadow } from "./shadow.ts";
import type { ShadowOptions } from "./shadow-options.ts";
import type { RefusedCandidate, ShadowReport } from "./shadow-report.ts";

type Script = (evaluation: Evaluation) => JsonValue | undefined | EvaluationResult;

let clock: ManualClock;
let timers: ManualTimers;
let meter: NotingMeter;
let lines: string[];
let seen: { readonly by: string; readonly evaluation: Evaluation }[];
beforeEach(() => {
  clock = manualClock();
  timers = manualTimers(clock);
  meter = notingMeter();
  lines = [];
  seen = [];
});

/** A bundle whose policy is scripted. */
function bundle(name: string, script: Script, given: Partial<ActivePolicy> = {}): ActivePolicy {
  const evaluate = (evaluation: Evaluation): EvaluationResult => {
    seen.push({ by: name, evaluation });
    const value = script(evaluation);
    if (value === undefined) return { kind: "undefined" };
    const isResult = typeof value === "object" && value !== null && "kind" in value;
    return isResult ? (value as EvaluationResult) : { kind: "value", value: value as JsonValue };
  };
  const entrypoints = new Map([
    ["platform/decision", 0],
    ["envoy/authz/allow", 1],
  ]);
  return {
    ...{ application: "platform", revision: name, digest: `digest-${name}` },
    policy: { entrypoints, evaluate, memoryBytes: () => 0 },
    entrypoints: { kind: "document", document: 0 },
    catalogue: catalogueOf(["agent:execute", "agent:read"]),
    wantsArrays: true,
    reads: everythingRead,
    ...given,
  };
}

interface World {
  active: ActivePolicy | undefined;
  candidate: Candidate | undefined;
  readonly pipeline: Pipeline;
  readonly shadow: Shadow;
  /** Asks, and lets the candidate have its turn. */
  ask(request?: Partial<AccessRequest>): Promise<boolean>;
  report(): ShadowReport;
}

const loaded = (policy: ActivePolicy): Candidate => ({
  ...{ application: policy.application, kind: "loaded", policy },
});

function world(
  active: ActivePolicy,
  candidate: ActivePolicy | undefined,
  options: Partial<ShadowOptions> = {},
): World {
  const warn = (_: object, text: string) => void lines.push(text);
  const logger = { ...silentLogger, warn, error: warn };
  const policies = { get: (name: string) => (name === "platform" ? made.active : undefined) };
  const shadow = createShadow({
    ...{ clock, timers, logger, policies, meter: meter.meter },
    candidates: {
      get: () => (made.candidate?.kind === "loaded" ? made.candidate.policy : undefined),
      list: () => (made.candidate === undefined ? [] : [made.candidate]),
    },
    options: { sampleRatio: 1, timeRatio: 0.5, queueMax: 10, ...options },
    random: () => 0.5,
  });
  let ids = 0;
  const pipeline = createPipeline({
    ...{ clock, logger, policies, shadow, meter: meter.meter, options: pipelineOptions() },
    permissionSets: { get: () => permissionSet() },
    createId: () => `decision-${++ids}`,
  });
  const made: World = {
    ...{ active, pipeline, shadow, candidate: candidate && loaded(candidate) },
    ask: async (request) => {
      const { allowed } = await pipeline.check(accessRequest(request), callFrom());
      timers.advance(0);
      return allowed;
    },
    report: () => shadow.report()[0] as ShadowReport,
  };
  return made;
}

const yes: Script = () => ({ allow: true });
const no: Script = () => ({ allow: false, deny: { closed: true } });
const fails: Script = () => ({ kind: "failed", why: "trap", message: "unreachable" });
const nothing = {
  ...{ same: 0, "newly-allowed": 0, "newly-denied": 0, changed: 0, failed: 0, dropped: 0 },
};
const evaluations = () => meter.notes.filter((note) => note.startsWith("postern_shadow_eval"));

describe("a check", () => {
  it("is answered before the candidate is asked, and by the policy in force alone", () => {
    const { pipeline, report } = world(bundle("r1", yes), bundle("r2", no));
    const decision = pipeline.check(accessRequest(), callFrom());
    expect(decision).toMatchObject({ allowed: true, revision: "r1" });
    expect(seen.map(({ by }) => by)).toEqual(["r1"]);
    timers.advance(0);
    expect(seen.map(({ by }) => by)).toContain("r2");
    expect(report().counts).toEqual({ ...nothing, "newly-denied": 1 });
    const decisions = meter.notes.filter((note) => note.startsWith("postern_decisions"));
    expect(decisions).toEqual(["postern_decisions_total platform true policy 1"]);
  });

  it("is put to the candidate with the same input, user and instant", async () => {
    const { ask } = world(bundle("r1", yes), bundle("r2", yes));
    await ask({ context: { a: "b" } });
    const [first, second] = seen.map(({ evaluation }) => evaluation);
    expect(second!.input).toEqual(first!.input);
    expect(second!.kept!.text()).toBe(first!.kept!.text());
    expect(second!.nowNs).toBe(first!.nowNs);
  });

  it.each<[string, Script, Script, keyof typeof nothing, string]>([
    ["the same", yes, yes, "same", "same"],
    ["denied by both", no, no, "same", "same"],
    ["allowed by the candidate alone", no, yes, "newly-allowed", "different"],
    ["denied by the candidate alone", yes, no, "newly-denied", "different"],
    [
      "denied for another reason",
      no,
      () => ({ allow: false, deny: ["x"] }),
      "changed",
      "different",
    ],
    [
      ...(["allowed with another obligation", yes] as const),
      () => ({ allow: true, obligations: ["log"] }),
      ...(["changed", "different"] as const),
    ],
    ["failed", yes, fails, "failed", "failed"],
    ["failed, where it is denied", no, fails, "failed", "failed"],
    ["failed by both", fails, fails, "same", "same"],
    ["mended", fails, yes, "newly-allowed", "different"],
  ])("is counted: %s", async (_, active, candidate, kind, result) => {
    const { ask, report } = world(bundle("r1", active), bundle("r2", candidate));
    await ask();
    expect(report().counts).toEqual({ ...nothing, [kind]: 1 });
    expect(evaluations()).toEqual([`postern_shadow_evaluations_total platform ${result} 1`]);
  });

  it("that differs is shown by names alone", async () => {
    const { ask, report } = world(bundle("r1", yes), bundle("r2", no));
    const secret = { token: "s3cret" };
    await ask({
      resource: { type: "agent", id: "a1", properties: secret },
      context: secret,
      subject: { type: "user", id: "user-123", properties: secret },
      action: { name: "execute", properties: secret },
    });
    expect(report().differences).toEqual([
      {
        ...{ kind: "newly-denied", count: 1, differs: [] },
        active: { allowed: true, reason: "policy:allow" },
        candidate: { allowed: false, reason: "deny:closed" },
        examples: [
          {
            ...{ decisionId: "decision-1", atMs: clock.wallMs() },
            request: {
              subject: "user:user-123",
              ...{ permission: "agent:execute", resource_id: "a1" },
            },
          },
        ],
      },
    ]);
    expect(JSON.stringify(report())).not.toContain("s3cret");
  });

  it("has three examples of each difference, of two hundred differences", async () => {
    let turn = 0;
    const many: Script = () => ({ allow: false, deny: [`reason-${Math.floor(turn++ / 10)}`] });
    const { ask, report } = world(bundle("r1", yes), bundle("r2", many));
    // Without MFA evidence a deny is evaluated twice.
    for (let count = 0; count < 1_010; count++) await ask();
    const { counts, differences, further } = report();
    expect(counts["newly-denied"]).toBe(1_010);
    expect(differences).toHaveLength(200);
    expect(differences.every(({ examples }) => examples.length === 3)).toBe(true);
    expect(further).toBe(10);
  });

  it("is compared where the candidate's catalogue lacks the permission", async () => {
    const catalogue = catalogueOf(["agent:read"]);
    const { ask, report } = world(bundle("r1", yes), bundle("r2", yes, { catalogue }));
    await ask();
    expect(report().differences).toMatchObject([
      { kind: "newly-denied", candidate: { reason: "unknown:agent:execute" } },
    ]);
  });

  it("in a batch is put to the candidate after the whole batch", async () => {
    const meanwhile: Script = () => {
      timers.advance(0);
      return { allow: true };
    };
    const { pipeline, report } = world(bundle("r1", meanwhile), bundle("r2", no));
    const requests = [accessRequest(), accessRequest({ requestId: "2" })];
    await pipeline.checkBatch(requests, callFrom());
    expect(seen.map(({ by }) => by)).toEqual(["r1", "r1"]);
    timers.advance(0);
    expect(report().counts).toEqual({ ...nothing, "newly-denied": 2 });
  });
});

describe("a question to the policy alone", () => {
  const query: PolicyQuery<object> = {
    ...{ application: "platform", path: "envoy/authz/allow", input: () => ({ a: "b" }) },
    read: (document) => ({
      allows: (document as { allowed: boolean }).allowed,
      detail: document as object,
    }),
    about: () => ({ method: "GET" }),
  };
  const says =
    (document: JsonValue): Script =>
    () =>
      document;

  it("is compared with all that is said besides, by names", () => {
    const active = says({ allowed: true, headers: { a: "1" }, responseHeaders: {} });
    const candidate = says({ allowed: true, headers: { a: "s3cret" } });
    const { pipeline, report } = world(bundle("r1", active), bundle("r2", candidate));
    pipeline.evaluate(query, callFrom());
    timers.advance(5);
    const [first, second] = seen.map(({ evaluation }) => evaluation);
    expect(second).toEqual(first);
    const request = { document: "envoy/authz/allow", method: "GET" };
    expect(report().differences).toMatchObject([
      { kind: "changed", differs: ["headers", "response_headers"], examples: [{ request }] },
    ]);
    expect(JSON.stringify(report())).not.toContain("s3cret");
  });

  it("fails where the candidate lacks the document, and is answered all the same", () => {
    const candidate = bundle("r2", yes);
    const policy = { ...candidate.policy, entrypoints: new Map([["platform/decision", 0]]) };
    const active = bundle("r1", says({ allowed: true }));
    const { pipeline, report } = world(active, { ...candidate, policy });
    expect(pipeline.evaluate(query, callFrom()).decision.allowed).toBe(true);
    timers.advance(0);
    expect(report().differences).toMatchObject([
      { kind: "failed", candidate: { reason: "unavailable:policy" } },
    ]);
    expect(lines).toEqual(["The candidate's evaluation failed. What was answered stands."]);
  });
});

describe("what it costs", () => {
  it("is nothing where there is no candidate, or one that is the bundle in force", async () => {
    const active = bundle("r1", yes);
    for (const candidate of [undefined, bundle("copy", no, { digest: active.digest })]) {
      const { ask } = world(active, candidate);
      await ask();
      expect(timers.pending()).toBe(0);
    }
    expect(evaluations()).toEqual([]);
  });

  it("is a sample", async () => {
    const { ask, report } = world(bundle("r1", yes), bundle("r2", yes), { sampleRatio: 0.5 });
    await ask();
    expect(report().counts).toEqual(nothing);
    const all = world(bundle("r1", yes), bundle("r2", yes), { sampleRatio: 0.51 });
    await all.ask();
    expect(all.report().counts).toEqual({ ...nothing, same: 1 });
  });

  it("is bounded by the queue, and what is dropped is counted", () => {
    const { pipeline, report } = world(bundle("r1", yes), bundle("r2", yes), { queueMax: 2 });
    for (let count = 0; count < 5; count++) pipeline.check(accessRequest(), callFrom());
    timers.advance(0);
    expect(report().counts).toEqual({ ...nothing, same: 2, dropped: 3 });
    expect(evaluations().filter((note) => note.includes("dropped"))).toHaveLength(3);
  });

  it("ends with the third evaluation that takes more than 100 ms", async () => {
    const slow: Script = () => {
      clock.advance(101);
      return { allow: true };
    };
    const made = world(bundle("r1", yes), bundle("r2", slow));
    for (let count = 0; count < 5; count++) {
      expect(await made.ask()).toBe(true);
      timers.advance(1_000);
    }
    expect(made.report()).toMatchObject({
      ...{ state: "stopped", overruns: 3, counts: { ...nothing, same: 3 } },
    });
    expect(lines).toEqual([expect.stringContaining("Candidate stopped: 3 of its evaluations")]);
    made.candidate = loaded(bundle("r3", yes));
    await made.ask();
    expect(made.report()).toMatchObject({ state: "comparing", counts: { same: 1 } });
  });
});

describe("the report", () => {
  it("begins anew when the candidate or the policy in force changes", async () => {
    const made = world(bundle("r1", yes), bundle("r2", no));
    await made.ask();
    clock.advance(1_000);
    made.candidate = loaded(bundle("r3", no));
    expect(made.report()).toMatchObject({
      ...{ counts: nothing, sinceMs: clock.wallMs(), candidate: { revision: "r3" } },
    });
    await made.ask();
    expect(made.report().counts["newly-denied"]).toBe(1);
    made.active = bundle("r4", no);
    expect(made.report()).toMatchObject({ counts: nothing, active: { revision: "r4" } });
  });

  it("counts nothing that a policy answered which has been replaced since", () => {
    const made = world(bundle("r1", yes), bundle("r2", no));
    made.pipeline.check(accessRequest(), callFrom());
    made.active = bundle("r4", yes);
    timers.advance(0);
    expect(made.report().counts).toEqual(nothing);
    made.pipeline.check(accessRequest(), callFrom());
    made.candidate = undefined;
    timers.advance(1_000);
    expect(seen.filter(({ by }) => by === "r2")).toEqual([]);
    expect(made.shadow.report()).toEqual([]);
  });

  it("says of a candidate that is not compared why", () => {
    const active = bundle("r1", yes);
    const made = world(active, bundle("copy", yes, { digest: active.digest }));
    expect(made.report().state).toBe("identical");
    made.active = undefined;
    expect(made.report()).toMatchObject({ state: "without-active", active: undefined });
    const refused: RefusedCandidate = {
      ...{ application: "platform", state: "refused", stage: "manifest", error: "why" },
    };
    made.candidate = {
      ...{ application: "platform", kind: "refused" },
      stage: "manifest",
      error: "why",
    };
    expect(made.shadow.report()).toEqual([refused]);
  });
});
