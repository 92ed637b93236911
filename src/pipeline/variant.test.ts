import { describe, expect, it } from "vitest";
import { conditionClass, permissionSet, roleGrant } from "../../test/support/permission-set.ts";
import { catalogueOf } from "../../test/support/pipeline.ts";
import type { ActivePolicy } from "../bundle/active-policy.ts";
import { everythingRead } from "../bundle/parts-read.ts";
import { emptyObject } from "../decision/json.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { Circumstances } from "./activation.ts";
import { claimsText, createSetCompiler, type VariantQuery, variantOf } from "./variant.ts";

const active: ActivePolicy = {
  application: "platform",
  revision: "r1",
  digest: "d1",
  policy: {
    entrypoints: new Map(),
    evaluate: () => ({ kind: "undefined" }),
    memoryBytes: () => 0,
  },
  entrypoints: { kind: "document", document: 0 },
  catalogue: catalogueOf(["agent:execute", "agent:read", "model:read"]),
  wantsArrays: false,
  reads: everythingRead,
};

const circumstances: Circumstances = {
  nowMs: 1_000,
  resourceId: undefined,
  properties: emptyObject,
  address: undefined,
  mtls: false,
};

const usual: VariantQuery = { circumstances, mfaFresh: false, claims: "" };

function textOf(set: PermissionSet, policy = active, query = usual): string {
  return variantOf(createSetCompiler()(set, policy), query).kept.text();
}

const developer = permissionSet({
  attributes: { clearance: "secret", level: 3 },
  groups: ["b", "a"],
  classes: [
    conditionClass({}, [roleGrant("developer", ["agent:*"]), roleGrant("user", ["model:read"])]),
    conditionClass({ mfa: "required" }, [roleGrant("admin", ["*:*"])]),
  ],
});

describe("input.user", () => {
  it("has empty sets for a subject that has nothing", () => {
    expect(textOf(permissionSet())).toBe(
      '{"id":"user-123","type":"user","roles":set(),"permissions":set(),"groups":set(),' +
        '"mfaVerified":false}',
    );
  });

  it("has patterns and what they come to, as sets, and attributes flat", () => {
    expect(textOf(developer)).toBe(
      '{"id":"user-123","type":"user","roles":{"developer","user"},' +
        '"permissions":{"agent:*","model:read","agent:execute","agent:read"},' +
        '"groups":{"b","a"},"mfaVerified":false,"clearance":"secret","level":3}',
    );
  });

  it("has sorted arrays for a policy that asks for them", () => {
    const user = JSON.parse(textOf(developer, { ...active, wantsArrays: true }));
    expect(user.permissions).toEqual(["agent:*", "agent:execute", "agent:read", "model:read"]);
    expect(user.groups).toEqual(["a", "b"]);
  });

  it("has only the patterns where there is no catalogue", () => {
    const user = JSON.parse(
      textOf(developer, { ...active, wantsArrays: true, catalogue: undefined }),
    );
    expect(user.permissions).toEqual(["agent:*", "model:read"]);
  });

  it("gains what fresh evidence activates", () => {
    const query = { ...usual, mfaFresh: true };
    const user = JSON.parse(textOf(developer, { ...active, wantsArrays: true }, query));
    expect(user.roles).toEqual(["admin", "developer", "user"]);
    expect(user.permissions).toContain("*:*");
    expect(user.mfaVerified).toBe(true);
  });

  it("quotes hostile names as data", () => {
    const attributes = Object.assign(Object.create(null), {
      ['a","roles":["admin"],"b']: 'x"}',
    });
    Object.defineProperty(attributes, "__proto__", { value: "p", enumerable: true });
    const set = permissionSet({ attributes, groups: ['g"},"x'] });
    const user = JSON.parse(textOf(set, { ...active, wantsArrays: true }));
    expect(user.roles).toEqual([]);
    expect(user.groups).toEqual(['g"},"x']);
    expect(Object.hasOwn(user, "__proto__")).toBe(true);
  });
});

describe("variantOf()", () => {
  it("has the roles of what is active, sorted, each once", () => {
    const rolesWith = (mfaFresh: boolean) =>
      variantOf(createSetCompiler()(developer, active), { ...usual, mfaFresh }).roles;
    expect(rolesWith(false)).toEqual(["developer", "user"]);
    expect(rolesWith(true)).toEqual(["admin", "developer", "user"]);
  });

  it("gives the same object for the same combination, whatever led to it", () => {
    const compiled = createSetCompiler()(developer, active);
    const later = { ...circumstances, nowMs: 2_000 };
    expect(variantOf(compiled, usual)).toBe(
      variantOf(compiled, { ...usual, circumstances: later }),
    );
    expect(variantOf(compiled, usual)).not.toBe(variantOf(compiled, { ...usual, mfaFresh: true }));
  });

  it("notices an expiry inside a set that is still cached", () => {
    const classes = [conditionClass({ expiresAtMs: 1_500 }, [roleGrant("x", ["agent:read"])])];
    const compiled = createSetCompiler()(permissionSet({ classes }), active);
    expect(variantOf(compiled, usual).active).toHaveLength(1);
    const later = { ...usual, circumstances: { ...circumstances, nowMs: 1_500 } };
    expect(variantOf(compiled, later).active).toHaveLength(0);
  });

  it("keeps a bounded number of them and makes the oldest again when asked", () => {
    const compiled = createSetCompiler()(developer, active);
    const first = variantOf(compiled, usual);
    for (let index = 0; index < 100; index += 1) {
      variantOf(compiled, { ...usual, claims: `,"n":${index}` });
    }
    expect(compiled.variants.size).toBe(16);
    const again = variantOf(compiled, usual);
    expect(again).not.toBe(first);
    expect(again.kept.text()).toBe(first.kept.text());
  });
});

describe("createSetCompiler()", () => {
  it("compiles a set once per catalogue", () => {
    const compile = createSetCompiler();
    const compiled = compile(developer, active);
    expect(compile(developer, { ...active, revision: "r2" })).toBe(compiled);
    const smaller = { ...active, catalogue: catalogueOf(["agent:read"]) };
    const recompiled = compile(developer, smaller);
    expect(recompiled).not.toBe(compiled);
    expect(variantOf(recompiled, usual).kept.text()).toContain(
      '{"agent:*","model:read","agent:read"}',
    );
  });
});

describe("claimsText()", () => {
  const set = permissionSet({ attributes: { clearance: "public" } });

  it("takes only what the caller is trusted for by name", () => {
    const properties = { department: "a", team: "b" };
    expect(claimsText(["department"], properties, set)).toBe(',"department":"a"');
    expect(claimsText([], properties, set)).toBe("");
    expect(claimsText(["toString", "department2"], properties, set)).toBe("");
  });

  it("never changes what the directory or the PDP says", () => {
    const reserved = ["id", "type", "roles", "permissions", "groups", "mfaVerified"];
    const properties = Object.fromEntries([...reserved, "clearance"].map((n) => [n, "top-secret"]));
    expect(claimsText([...reserved, "clearance"], properties, set)).toBe("");
  });

  it("leaves out null, and refuses what is too long to remember", () => {
    expect(claimsText(["team"], { team: null }, set)).toBe("");
    expect(() => claimsText(["team"], { team: "x".repeat(10_000) }, set)).toThrow(
      expect.objectContaining({ kind: "invalid-argument", field: "subject.properties" }),
    );
  });
});
