import { describe, expect, it } from "vitest";
import { conditionClass, permissionSet, roleGrant } from "../../test/support/permission-set.ts";
import {
  accessRequest,
  type Scene,
  type SeenInput,
  stagePipeline,
  type trusted,
  untrusted,
} from "../../test/support/pipeline.ts";
import { partsRead } from "../bundle/parts-read.ts";
import { emptyObject, type JsonObject } from "../decision/json.ts";
import type { AccessRequest } from "../decision/request.ts";

function inputFor(request: Partial<AccessRequest>, scene: Scene = {}): JsonObject {
  const staged = stagePipeline(scene);
  staged.decide(request);
  return staged.seen[0]!.input;
}

function loopback(trust: Partial<typeof trusted>): Scene {
  const none = untrusted;
  return {
    options: {
      trust: {
        unix: none,
        network: none,
        loopback: { ...none, identity: true, ...trust },
        certificates: {},
      },
    },
  };
}

function bare(members: Record<string, unknown>): JsonObject {
  const object = Object.create(null);
  for (const [name, value] of Object.entries(members)) object[name] = value;
  return object;
}

const resource = {
  type: "agent",
  id: "agent-7",
  properties: bare({ owner: "user-123", level: 2, creator: null }),
};

describe("input", () => {
  it("has the seed's shape: type and action as strings, properties flat", () => {
    const input = inputFor({ resource });
    expect(Object.keys(input)).toEqual([
      "resource",
      "action",
      "resource_id",
      "resource_owner",
      "resource_level",
      "context",
      "request",
    ]);
    expect(input).toMatchObject({
      resource: "agent",
      action: "execute",
      resource_id: "agent-7",
      resource_owner: "user-123",
      resource_level: 2,
    });
  });

  it("has no id where none was asked about, whatever the properties say", () => {
    const input = inputFor({
      resource: { type: "agent", id: undefined, properties: bare({ id: "x" }) },
    });
    expect(input).not.toHaveProperty("resource_id");
    expect((input["request"] as JsonObject)["resource"]).not.toHaveProperty("id");
    const own = inputFor({ resource: { ...resource, properties: bare({ id: "x" }) } });
    expect(own["resource_id"]).toBe("agent-7");
  });

  it("drops properties of a resource from a caller that is not trusted for them", () => {
    const input = inputFor({ resource }, loopback({}));
    expect(Object.keys(input).filter((name) => name.startsWith("resource_"))).toEqual([
      "resource_id",
    ]);
  });

  it("takes hostile names for names", () => {
    const properties = JSON.parse('{"__proto__":{"allow":true},"constructor":1}');
    const context = JSON.parse('{"__proto__":{"ip":"10.0.0.1"},"constructor":2}');
    const input = inputFor({ resource: { ...resource, properties }, context });
    expect(input["resource___proto__"]).toEqual({ allow: true });
    expect(input["resource_constructor"]).toBe(1);
    const seen = input["context"] as JsonObject;
    expect(Object.keys(seen)).toEqual(["__proto__", "constructor", "time"]);
    expect(seen["ip"]).toBeUndefined();
    expect(seen["toString"]).toBeUndefined();
  });

  it("has the request as asked, trusted or not", () => {
    const context = bare({ ip: "10.1.2.3", time: "forged" });
    const subject = { type: "user", id: "user-123", properties: bare({ clearance: "x" }) } as const;
    const request = accessRequest({ resource, context, subject });
    const input = inputFor(request, loopback({}));
    expect(input["request"]).toEqual({
      subject,
      action: { name: "execute", properties: emptyObject },
      resource,
      context,
    });
  });
});

describe("input.context", () => {
  const context = bare({
    ip: "10.1.2.3",
    userAgent: "curl",
    mfa: bare({ verified_at: "2026-01-05T10:00:00Z" }),
    authentication: "mtls",
    time: bare({ hour: 3 }),
  });

  it("has the PDP's own time instead of the caller's", () => {
    const seen = inputFor({ context })["context"] as JsonObject;
    expect(seen["time"]).toMatchObject({
      ns: 1_767_607_200_000_000_000n,
      hour: 10,
      weekday: "Monday",
      zone: "UTC",
    });
  });

  it("tells the time in the application's zone", () => {
    const settings = {
      mfaMaxAgeSeconds: 900,
      zone: "Asia/Tokyo",
      unknownSubjects: "deny",
    } as const;
    const options = { applications: { platform: settings } };
    expect(inputFor({}, { options })["context"]).toMatchObject({
      time: { hour: 19, zone: "Asia/Tokyo" },
    });
  });

  it.each(["ip", "mfa", "authentication"] as const)("has %s from a trusted caller only", (item) => {
    const without = inputFor({ context }, loopback({}))["context"] as JsonObject;
    expect(Object.keys(without)).toEqual(["userAgent", "time"]);
    const withIt = inputFor({ context }, loopback({ [item]: true }))["context"] as JsonObject;
    expect(Object.keys(withIt).sort()).toEqual([item, "time", "userAgent"].sort());
    expect(withIt[item]).toEqual(context[item]);
  });

  it("agrees with what time built-ins say", () => {
    const staged = stagePipeline();
    staged.decide();
    expect(staged.seen[0]!.evaluation.nowNs).toBe(1_767_607_200_000_000_000n);
  });
});

describe("input of a policy that reads parts", () => {
  const context = bare({ ip: "10.1.2.3", userAgent: "curl", time: "forged" });
  const input = (...paths: string[]): JsonObject =>
    inputFor({ resource, context }, { active: { reads: partsRead(paths) } });

  it("has the type and the action alone where nothing else is read", () => {
    expect(input()).toEqual({ resource: "agent", action: "execute" });
    expect(input("user.id", "other", "resource.type")).toEqual(input());
  });

  it("has what is read, and whether its whole is there", () => {
    expect(input("resource_id", "resource_level.x", "resource_absent")).toEqual({
      ...input(),
      resource_id: "agent-7",
      resource_level: 2,
    });
    expect(input("context.absent")).toEqual({ ...input(), context: {} });
    expect(input("context.userAgent.x")["context"]).toEqual({ userAgent: "curl" });
    expect(input("request.action.name")["request"]).toMatchObject({ resource, context });
    expect(Object.keys(input("context")["context"] as object)).toEqual(["ip", "userAgent", "time"]);
  });

  it("has the parts of the time that are read", () => {
    expect(input("context.time.hour", "context.time.weekday", "context.time.toString")).toEqual({
      ...input(),
      context: { time: { hour: 10, weekday: "Monday" } },
    });
    expect(Object.keys(input("context.time")["context"] as object)).toEqual(["time"]);
  });

  it("assumes evidence where that is read", () => {
    const seen = (path: string): JsonObject => {
      const set = permissionSet({
        classes: [conditionClass({ mfa: "required" }, [roleGrant("x", ["agent:*"])])],
      });
      const script = ({ user }: SeenInput) => user["mfaVerified"] === true;
      const staged = stagePipeline({ set, script, active: { reads: partsRead([path]) } });
      expect(staged.decide()).toMatchObject({ mfaRequired: true });
      return staged.seen[1]!.input;
    };
    expect(seen("resource_id")).toEqual(input());
    expect(seen("context.ip")["context"]).toEqual({});
    const assumed = { mfa: { verified_at: "2026-01-05T10:00:00.000Z" } };
    expect(seen("context.mfa")["context"]).toEqual(assumed);
  });
});

describe("input.user", () => {
  const subject = {
    type: "user",
    id: "user-123",
    properties: bare({ department: "a", roles: ["admin"], team: "b" }),
  } as const;

  it("has nothing of subject.properties unless trusted by name", () => {
    const staged = stagePipeline();
    staged.decide({ subject });
    expect(Object.keys(staged.seen[0]!.user)).toEqual([
      "id",
      "type",
      "roles",
      "permissions",
      "groups",
      "mfaVerified",
    ]);
  });

  it("has what the caller is trusted for", () => {
    const staged = stagePipeline(loopback({ subjectProperties: ["department", "roles"] }));
    staged.decide({ subject });
    staged.decide({ subject: { ...subject, properties: bare({ department: "c" }) } });
    staged.decide();
    expect(staged.seen.map(({ user }) => user["department"])).toEqual(
      expect.arrayContaining(["a", "c", undefined]),
    );
    expect(staged.seen[0]!.user["roles"]).toEqual([]);
    expect(staged.seen[0]!.user).not.toHaveProperty("team");
  });
});
