import { describe, expect, it } from "vitest";
import { conditionClass, permissionSet, roleGrant } from "../../test/support/permission-set.ts";
import {
  accessRequest,
  callFrom,
  catalogueOf,
  type Scene,
  type Script,
  stagePipeline,
  untrusted,
} from "../../test/support/pipeline.ts";
import { type Logger, silentLogger } from "../base/logger.ts";
import type { IndeterminateReason } from "../decision/decision.ts";
import type { JsonObject, JsonValue } from "../decision/json.ts";
import type { Conditions } from "../decision/permission-set.ts";
import type { MfaAnswer } from "./pipeline.ts";

const freshContext: JsonObject = { mfa: { verified_at: "2026-01-05T09:59:00Z", method: "totp" } };
const staleContext: JsonObject = { mfa: { verified_at: "2026-01-05T09:00:00Z", method: "totp" } };

/** Allows exactly what the subject's permissions say, as a plain policy does. */
const byPermission: Script = ({ input, user }) => ({
  allow: (user["permissions"] as string[]).includes(`${input["resource"]}:${input["action"]}`),
});

function holding(conditions: Partial<Conditions>, ...patterns: string[]): Scene {
  const classes = [conditionClass(conditions, [roleGrant("admin", patterns)])];
  return { set: permissionSet({ classes }), script: byPermission };
}

function mfaAnswer(scene: Scene, context: JsonObject = {}) {
  return stagePipeline(scene).mfaRequired(accessRequest({ context }), callFrom()) as MfaAnswer;
}

describe("indeterminate results", () => {
  const reasons: IndeterminateReason[] = ["trap", "conflict", "budget", "result", "input"];

  it.each(reasons)("denies with indeterminate:%s", (why) => {
    const script: Script = () => ({ kind: "failed", why, message: "no" });
    const staged = stagePipeline({ ...holding({}, "agent:execute"), script });
    expect(staged.decide()).toMatchObject({ allowed: false, reason: `indeterminate:${why}` });
    expect(staged.seen).toHaveLength(1);
  });

  it("denies what it can't read", () => {
    const staged = stagePipeline({ script: () => ({ allow: "true" }) });
    expect(staged.decide().reason).toBe("indeterminate:result");
  });

  it("denies where only the second evaluation fails", () => {
    const script: Script = ({ user }) =>
      user["mfaVerified"] === true
        ? { kind: "failed", why: "trap", message: "no" }
        : { allow: true, mfa_required: true };
    expect(stagePipeline({ script }).decide()).toMatchObject({
      allowed: false,
      mfaRequired: false,
      reason: "indeterminate:trap",
    });
  });

  it("tells operators, at most once a second", () => {
    const lines: unknown[] = [];
    const warn: Logger["warn"] = (fields) => lines.push(fields);
    const logger: Logger = { ...silentLogger, warn };
    const script: Script = () => ({ kind: "failed", why: "trap", message: "unreachable" });
    const staged = stagePipeline({ script, logger });
    for (let index = 0; index < 100; index += 1) staged.decide();
    staged.clock.advance(1_000);
    staged.decide();
    expect(lines).toMatchObject([
      { application: "platform", why: "trap", detail: "unreachable", unlogged: 0 },
      { unlogged: 99 },
    ]);
  });
});

describe("entrypoints", () => {
  const rules = { kind: "rules", allow: 0, deny: 1, mfaRequired: 2 } as const;
  const scripted = (values: (JsonValue | undefined)[]): Scene => ({
    active: { entrypoints: rules },
    script: ({ entrypoint }) => values[entrypoint],
  });

  it("asks allow, deny and mfa_required separately, at the same instant", () => {
    const staged = stagePipeline(scripted([true, undefined, undefined]));
    expect(staged.decide().allowed).toBe(true);
    expect(staged.seen.map(({ entrypoint }) => entrypoint)).toEqual([0, 1, 2]);
    expect(new Set(staged.seen.map(({ evaluation }) => evaluation.nowNs)).size).toBe(1);
  });

  it("lets a deny override", () => {
    expect(stagePipeline(scripted([true, ["sod"], false])).decide().reason).toBe("deny:sod");
    expect(stagePipeline(scripted([true, true, false])).decide().reason).toBe("deny:policy");
  });

  it("withholds what mfa_required asks evidence for", () => {
    expect(stagePipeline(scripted([true, false, true])).decide().reason).toBe("mfa_required");
  });

  it("does without rules that the bundle lacks", () => {
    const staged = stagePipeline({
      active: { entrypoints: { ...rules, deny: undefined, mfaRequired: undefined } },
      script: () => true,
    });
    expect(staged.decide().allowed).toBe(true);
    expect(staged.seen).toHaveLength(1);
  });

  it.each([0, 1, 2])("denies if rule %i fails", (failing) => {
    const staged = stagePipeline({
      active: { entrypoints: rules },
      script: ({ entrypoint }) => {
        if (entrypoint === failing) return { kind: "failed", why: "conflict", message: "" };
        return entrypoint === 0 ? true : undefined;
      },
    });
    expect(staged.decide().reason).toBe("indeterminate:conflict");
  });
});

describe("MFA", () => {
  const required = holding({ mfa: "required" }, "agent:execute");
  const askingPolicy: Scene = {
    ...holding({}, "agent:execute"),
    script: (seen) => ({ ...(byPermission(seen) as JsonObject), mfa_required: true }),
  };
  const stepUp = { type: "step-up", properties: { max_age_seconds: 900 } };

  it.each([
    ["a condition", required],
    ["the policy", askingPolicy],
  ])("is asked for by %s: withheld until the evidence is fresh", (_, scene) => {
    const withheld = {
      allowed: false,
      mfaRequired: true,
      reason: "mfa_required",
      obligations: [stepUp],
      grant: undefined,
    };
    expect(stagePipeline(scene).decide()).toMatchObject(withheld);
    expect(stagePipeline(scene).decide({ context: staleContext })).toMatchObject(withheld);
    expect(stagePipeline(scene).decide({ context: freshContext })).toMatchObject({
      allowed: true,
      reason: "permission:agent:execute",
    });
  });

  it("counts no evidence from a caller that is not trusted for it", () => {
    const loopback = { ...untrusted, identity: true };
    const trust = { unix: untrusted, network: untrusted, loopback, certificates: {} };
    const staged = stagePipeline({ ...required, options: { trust } });
    expect(staged.decide({ context: freshContext }).reason).toBe("mfa_required");
  });

  it("is not mentioned to a subject that would be denied anyway", () => {
    const lacking = stagePipeline(holding({ mfa: "required" }, "agent:read"));
    expect(lacking.decide()).toMatchObject({
      mfaRequired: false,
      reason: "missing:agent:execute",
      obligations: [],
    });
    const elsewhere = { mfa: "required", ipWhitelists: [["10.0.0.0/8"]] } as const;
    const restricted = stagePipeline(holding(elsewhere, "agent:execute"));
    expect(restricted.decide()).toMatchObject({ mfaRequired: false, reason: "restriction:ip" });
  });

  it("is not mentioned where a deny fires once the evidence is there", () => {
    const script: Script = ({ user }) => ({
      allow: true,
      mfa_required: true,
      deny: user["mfaVerified"] === true ? ["late"] : [],
    });
    expect(stagePipeline({ script }).decide().reason).toBe("deny:late");
  });

  it("is not what a deny by the policy is about", () => {
    const script: Script = () => ({ allow: true, mfa_required: true, deny: ["classification"] });
    const staged = stagePipeline({ script });
    expect(staged.decide()).toMatchObject({ mfaRequired: false, reason: "deny:classification" });
  });

  it("shows the policy evidence of this instant when it assumes some", () => {
    const staged = stagePipeline(askingPolicy);
    staged.decide({ context: staleContext });
    const contexts = staged.seen.map(({ input }) => input["context"] as JsonObject);
    expect(contexts[0]!["mfa"]).toEqual(staleContext["mfa"]);
    expect(contexts[1]!["mfa"]).toEqual({
      verified_at: "2026-01-05T10:00:00.000Z",
      method: "totp",
    });
    expect(staged.seen.map(({ user }) => user["mfaVerified"])).toEqual([false, true]);
  });

  it("evaluates once where the answer can't change", () => {
    for (const context of [freshContext, {}]) {
      const staged = stagePipeline(holding({}, "agent:execute"));
      staged.decide({ context });
      expect(staged.seen).toHaveLength(1);
    }
    const denied = stagePipeline(holding({}, "agent:read"));
    denied.decide({ context: freshContext });
    expect(denied.seen).toHaveLength(1);
  });

  it("has the application's own limit", () => {
    const settings = { mfaMaxAgeSeconds: 30, zone: "UTC", unknownSubjects: "deny" } as const;
    const scene = { ...required, options: { applications: { platform: settings } } };
    expect(stagePipeline(scene).decide({ context: freshContext })).toMatchObject({
      reason: "mfa_required",
      obligations: [{ type: "step-up", properties: { max_age_seconds: 30 } }],
    });
  });

  it("is recommended beside an allow that has no fresh evidence", () => {
    const scene = holding({ mfa: "recommended" }, "agent:execute");
    const obligation = { type: "mfa-recommended", properties: { max_age_seconds: 900 } };
    expect(stagePipeline(scene).decide().obligations).toEqual([obligation]);
    expect(stagePipeline(scene).decide({ context: freshContext }).obligations).toEqual([]);
  });
});

describe("mfaRequired()", () => {
  const required = holding({ mfa: "required" }, "agent:execute");
  const answer = { required: false, satisfied: false, maxAgeSeconds: 900, stalenessMs: 0 };

  it("is required where evidence is all that is missing", () => {
    expect(mfaAnswer(required)).toEqual({ ...answer, required: true, reason: "mfa_required" });
  });

  it("is required and satisfied where an allow rests on evidence", () => {
    expect(mfaAnswer(required, freshContext)).toEqual({
      ...answer,
      required: true,
      satisfied: true,
      reason: "permission:agent:execute",
    });
  });

  it("is not required where the allow does without, evidence or not", () => {
    const scene = holding({}, "agent:execute");
    const reason = "permission:agent:execute";
    expect(mfaAnswer(scene)).toEqual({ ...answer, reason });
    expect(mfaAnswer(scene, freshContext)).toEqual({ ...answer, reason });
  });

  it("is not required for what is denied anyway", () => {
    const missing = { ...answer, reason: "missing:agent:execute" };
    expect(mfaAnswer(holding({ mfa: "required" }, "agent:read"))).toEqual(missing);
    expect(mfaAnswer(holding({ mfa: "required" }, "agent:read"), freshContext)).toEqual(missing);
    expect(mfaAnswer({ ...required, catalogue: catalogueOf([]) }).reason).toBe(
      "unknown:agent:execute",
    );
  });

  it("waits for a set that is not at hand", async () => {
    const sets = { get: async () => required.set! };
    const promised = stagePipeline({ ...required, sets }).mfaRequired(accessRequest(), callFrom());
    expect(promised).toBeInstanceOf(Promise);
    expect(await promised).toMatchObject({ required: true });
  });
});

describe("conditions in a request", () => {
  const agent = (properties: JsonObject) => ({ type: "agent", id: "a-1", properties });

  it("activates what holds, and only that", () => {
    const set = permissionSet({
      classes: [
        conditionClass({ scope: { project: ["alpha"] } }, [roleGrant("alpha", ["agent:execute"])]),
        conditionClass({ ipWhitelists: [["10.0.0.0/8"]] }, [roleGrant("inner", ["agent:read"])]),
      ],
    });
    const staged = stagePipeline({ set, script: byPermission });
    staged.decide({ resource: agent({ project: "alpha" }), context: { ip: "10.1.2.3" } });
    staged.decide({ resource: agent({ project: "beta" }), context: { ip: "10.1.2.3" } });
    const roles = staged.seen.map(({ user }) => user["roles"]);
    expect(roles).toEqual([["alpha", "inner"], ["inner"], ["inner"]]);
  });

  it.each([undefined, "", "10.1.2.3.4", 10, null, ["10.1.2.3"]])(
    "holds no whitelist for the address %j",
    (ip) => {
      const staged = stagePipeline(holding({ ipWhitelists: [["0.0.0.0/0"]] }, "agent:execute"));
      const context = ip === undefined ? {} : { ip };
      expect(staged.decide({ context }).reason).toBe("restriction:ip");
    },
  );

  it.each([
    ["ip", { ipWhitelists: [["10.0.0.0/8"]] }, { ip: "10.1.2.3" }],
    ["authentication", { authentication: "mtls" }, { authentication: "mtls" }],
  ] as const)("hears a caller on %s only if it is trusted for it", (item, given, context) => {
    const scene = holding(given as Partial<Conditions>, "agent:execute");
    const none = untrusted;
    const decideFor = (loopback: typeof untrusted) => {
      const trust = { unix: none, network: none, loopback, certificates: {} };
      return stagePipeline({ ...scene, options: { trust } }).decide({ context });
    };
    expect(decideFor({ ...none, identity: true }).reason).toBe(`restriction:${item}`);
    expect(decideFor({ ...none, identity: true, [item]: true }).allowed).toBe(true);
  });

  it("takes mutual TLS from a trusted caller's word or the subject's own certificate", () => {
    const id = "spiffe://example/brain";
    const scene = holding({ authentication: "mtls" }, "agent:execute");
    const set = { ...scene.set!, subject: { id, type: "service" as const } };
    const subject = { type: "service", id, properties: {} } as const;
    const staged = stagePipeline({ ...scene, set });
    const own = { kind: "network", certificateNames: [id] } as const;
    expect(staged.decide({ subject }).reason).toBe("restriction:authentication");
    expect(staged.decide({ subject, context: { authentication: "mtls" } }).allowed).toBe(true);
    expect(staged.decide({ subject, context: { authentication: "MTLS" } }).allowed).toBe(false);
    expect(staged.decide({ subject }, own).allowed).toBe(true);
  });

  it("notices an expiry between two requests with the same cached set", () => {
    const expiresAtMs = Date.parse("2026-01-05T10:00:01Z");
    const staged = stagePipeline(holding({ expiresAtMs }, "agent:execute"));
    staged.clock.advance(999);
    expect(staged.decide().allowed).toBe(true);
    staged.clock.advance(1);
    expect(staged.decide().reason).toBe("missing:agent:execute");
  });
});
