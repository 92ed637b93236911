import { describe, expect, it } from "vitest";
import type { ApplicationModel } from "./application-model.ts";
import { expandGrants, TooManyGrants } from "./expand-grants.ts";
import { findCycle } from "./inheritance.ts";
import { noRestrictions, type RoleRecord } from "./records.ts";

/** Levels of two roles, each inheriting from both of the next: 2^levels ways to the last. */
function ladder(levels: number, isRestricted: boolean): ApplicationModel {
  const roles = Array.from({ length: levels * 2 }, (_, i): RoleRecord => {
    const level = Math.floor(i / 2);
    return {
      name: `r${level}-${i % 2}`,
      description: "",
      assignment: "manual",
      permissions: ["agent:read"],
      inheritsFrom: level + 1 < levels ? [`r${level + 1}-0`, `r${level + 1}-1`] : [],
      restrictions: isRestricted ? { ...noRestrictions, limits: { [`l${i}`]: 1 } } : noRestrictions,
    };
  });
  return modelOf(roles);
}

function modelOf(roles: readonly RoleRecord[]): ApplicationModel {
  const origin = { isSystem: false, isCustomised: false };
  return {
    roles: new Map(roles.map((record, id) => [record.name, { id, record, ...origin }])),
    mappings: new Map(),
  };
}

const facts = {
  groups: [],
  hasDefaultRoles: false,
  grants: [
    {
      source: "manual",
      given: { kind: "role", role: "r0-0" },
      scope: undefined,
      expiresAtMs: undefined,
    },
  ],
} as const;

describe("expandGrants()", () => {
  it("reaches each role once where a million ways give the same", () => {
    const classes = expandGrants(facts, ladder(20, false), 10_000);
    expect(classes).toHaveLength(1);
    expect(classes[0]?.grants).toHaveLength(39);
  });

  it("gives up on a million ways that differ, instead of leaving some out", () => {
    expect(() => expandGrants(facts, ladder(20, true), 10_000)).toThrow(TooManyGrants);
  });

  it("finds the longer way that has fewer conditions than the shorter one", () => {
    const role = (name: string, inheritsFrom: string[], mfa: "required" | "none"): RoleRecord => ({
      name,
      description: "",
      assignment: "manual",
      permissions: ["agent:read"],
      inheritsFrom,
      restrictions: { ...noRestrictions, mfa },
    });
    const classes = expandGrants(
      facts,
      modelOf([
        role("r0-0", ["strict", "a"], "none"),
        role("strict", ["target"], "required"),
        role("a", ["b"], "none"),
        role("b", ["target"], "none"),
        role("target", [], "none"),
      ]),
      10_000,
    );
    const toTarget = classes.map(({ conditions, grants }) => [
      conditions.mfa,
      grants.filter((grant) => grant.role === "target").map(({ path }) => path.length),
    ]);
    expect(toTarget).toEqual([
      ["none", [4]],
      ["required", [3]],
    ]);
  });

  it("keeps two ways where neither has fewer conditions", () => {
    const classes = expandGrants(facts, ladder(3, true), 10_000);
    const ways = classes.flatMap(({ grants }) => grants.map(({ path }) => path.join(" ")));
    expect(ways.filter((way) => way.endsWith("role:r2-0"))).toEqual([
      "role:r0-0 role:r1-0 role:r2-0",
      "role:r0-0 role:r1-1 role:r2-0",
    ]);
  });
});

describe("findCycle()", () => {
  const graph = (edges: Record<string, string[]>) =>
    new Map(Object.entries(edges).map(([name, inheritsFrom]) => [name, { inheritsFrom }]));

  it.each([
    [{ a: ["a"] }, ["a", "a"]],
    [{ a: ["b"], b: ["c"], c: ["b"] }, ["b", "c", "b"]],
    [{ a: ["b", "c"], b: ["d"], c: ["d"], d: [] }, undefined],
    [{ a: ["missing"] }, undefined],
    [
      { constructor: ["__proto__"], ["__proto__"]: ["constructor"] },
      ["constructor", "__proto__", "constructor"],
    ],
  ])("finds in %j: %j", (edges, cycle) => {
    expect(findCycle(graph(edges as Record<string, string[]>))).toEqual(cycle);
  });
});
