import { describe, expect, it } from "vitest";
import { conditionClass, permissionSet, roleGrant } from "../../test/support/permission-set.ts";
import { type Scene, type Script, stagePipeline } from "../../test/support/pipeline.ts";
import type { JsonObject } from "../decision/json.ts";
import type { Conditions, GrantPath } from "../decision/permission-set.ts";

/** Allows exactly what the subject's permissions say, as a plain policy does. */
const byPermission: Script = ({ input, user }) => ({
  allow: (user["permissions"] as string[]).includes(`${input["resource"]}:${input["action"]}`),
});

function holding(conditions: Partial<Conditions>, ...patterns: string[]): Scene {
  const classes = [conditionClass(conditions, [roleGrant("admin", patterns)])];
  return { set: permissionSet({ classes }), script: byPermission };
}

describe("reasons of a deny", () => {
  const refuse = (result: JsonObject): Script => {
    return () => ({ allow: false, ...result });
  };
  const lacking = holding({}, "agent:read");
  const having = holding({}, "agent:execute");

  it("names the first deny that fired, before anything else", () => {
    const script = refuse({ deny: ["b", "a"], reason: "other" });
    expect(stagePipeline({ ...lacking, script }).decide().reason).toBe("deny:b");
  });

  it("names the policy where a deny has no id", () => {
    const script = refuse({ deny: true });
    expect(stagePipeline({ ...lacking, script }).decide().reason).toBe("deny:policy");
  });

  it("gives the policy's own reason", () => {
    const script = refuse({ reason: "quota" });
    expect(stagePipeline({ ...lacking, script }).decide().reason).toBe("deny:quota");
  });

  it("names the policy where it refuses what is granted", () => {
    expect(stagePipeline({ ...having, script: refuse({}) }).decide().reason).toBe("deny:policy");
    const undefinedResult = stagePipeline({ ...having, script: () => undefined });
    expect(undefinedResult.decide().reason).toBe("deny:policy");
  });

  it("says what is missing where nothing grants it", () => {
    expect(stagePipeline({ ...lacking, script: refuse({}) }).decide()).toMatchObject({
      reason: "missing:agent:execute",
      grant: undefined,
    });
  });

  it("passes on the policy's obligations", () => {
    const script = refuse({ obligations: ["notify"] });
    expect(stagePipeline({ ...lacking, script }).decide().obligations).toEqual([
      { type: "notify", properties: {} },
    ]);
  });

  it.each([
    ["restriction:ip", { ipWhitelists: [["10.0.0.0/8"]] }],
    ["restriction:scope", { scope: { project: ["alpha"] } }],
    ["restriction:authentication", { authentication: "mtls" }],
    ["restriction:ip", { ipWhitelists: [["10.0.0.0/8"]], scope: { project: ["alpha"] } }],
    ["restriction:scope", { scope: { project: ["alpha"] }, authentication: "mtls" }],
    ["missing:agent:execute", { expiresAtMs: 1, scope: { project: ["alpha"] } }],
    ["missing:agent:execute", { expiresAtMs: 1 }],
  ] as const)("is %s under %j", (reason, conditions) => {
    const given = conditions as Partial<Conditions>;
    expect(stagePipeline(holding(given, "agent:*")).decide().reason).toBe(reason);
    const other = stagePipeline(holding(given, "agent:read"));
    expect(other.decide().reason).toBe("missing:agent:execute");
  });
});

describe("the grant of an allow", () => {
  const limits = (value: number): JsonObject => ({ maxConcurrentJobs: value });

  function granted(grants: readonly Partial<GrantPath>[], result: JsonObject = {}) {
    const full = grants.map((grant) => ({ ...roleGrant("x", ["agent:execute"]), ...grant }));
    const set = permissionSet({ classes: [conditionClass({}, full)] });
    return stagePipeline({ set, script: () => ({ allow: true, ...result }) }).decide();
  }

  it("is the path and pattern that grants it", () => {
    const path = ["group:llm-platform/developers", "role:developer"];
    const decision = granted([{ path, patterns: ["agent:read", "agent:*"] }]);
    expect(decision).toMatchObject({
      reason: "permission:agent:execute",
      grant: { pattern: "agent:*", path },
      obligations: [],
    });
  });

  it("has the fewest obligations, then the shortest path, then the first by name", () => {
    const pathOf = (grants: readonly Partial<GrantPath>[]) => granted(grants).grant?.path;
    const limited = { path: ["role:a"], limits: limits(1) };
    const long = { path: ["group:g", "role:a"] };
    const [b, c] = [{ path: ["role:b"] }, { path: ["role:c"] }];
    expect(pathOf([limited, long])).toEqual(long.path);
    expect(pathOf([long, c])).toEqual(c.path);
    expect(pathOf([c, b])).toEqual(b.path);
    expect(pathOf([b, c])).toEqual(b.path);
  });

  it("is by the most specific pattern on the same path", () => {
    const wide = { patterns: ["*:*"] };
    expect(granted([wide, {}]).grant?.pattern).toBe("agent:execute");
    expect(granted([{}, wide]).grant?.pattern).toBe("agent:execute");
    expect(granted([{ patterns: ["*:*", "*:execute", "agent:*"] }]).grant?.pattern).toBe("agent:*");
  });

  it("obliges to its limits, then to what the policy says", () => {
    const decision = granted([{ limits: limits(10) }], { obligations: ["watermark"] });
    expect(decision.obligations).toEqual([
      { type: "limits", properties: { maxConcurrentJobs: 10 } },
      { type: "watermark", properties: {} },
    ]);
  });

  it("stays the same when asked again", () => {
    const set = permissionSet({ classes: [conditionClass({}, [roleGrant("x", ["agent:*"])])] });
    const staged = stagePipeline({ set });
    expect(staged.decide().grant).toEqual(staged.decide().grant);
    const read = { name: "read", properties: {} };
    expect(staged.decide({ action: read }).reason).toBe("permission:agent:read");
  });

  it("is remembered for a bounded number of permissions", () => {
    const set = permissionSet({ classes: [conditionClass({}, [roleGrant("x", ["agent:act-7"])])] });
    const staged = stagePipeline({ set, catalogue: undefined });
    const reasonFor = (index: number) =>
      staged.decide({ action: { name: `act-${index}`, properties: {} } }).reason;
    for (let index = 0; index < 1_100; index += 1) reasonFor(index);
    expect(reasonFor(7)).toBe("permission:agent:act-7");
    expect(reasonFor(8)).toBe("policy:allow");
  });

  it("is absent where a rule of the policy allows by itself", () => {
    const reasonOf = (result: JsonObject) => granted([{ patterns: ["agent:read"] }], result);
    expect(reasonOf({})).toMatchObject({ reason: "policy:allow", grant: undefined });
    expect(reasonOf({ reason: "owner" }).reason).toBe("policy:owner");
    expect(reasonOf({ reasons: ["owner", "b"] }).reason).toBe("policy:owner");
  });
});
