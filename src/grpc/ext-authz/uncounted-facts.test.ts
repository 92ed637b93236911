import { Create } from "typebox/value";
import { describe, expect, it } from "vitest";
import { type PipelineOptions, pipelineOptionsSchema } from "../../pipeline/options.ts";
import { type TakenFacts, takeProperties, uncountedFacts } from "./uncounted-facts.ts";

const { trust } = Create(pipelineOptionsSchema) as PipelineOptions;
const route = { route: "GET /agents/{id}", permission: "agent:read" };
const takesAll: TakenFacts = {
  takesProperties: takeProperties([
    { ...route, resource: { id: "path/id" } },
    { ...route, resource: { id: "path/id", owner: "body/owner" } },
  ]),
  ...{ mfaVerifiedAt: "header/a", clientAddress: "header/b" },
};

describe("uncountedFacts()", () => {
  it("names what is taken, and counts for nobody", () => {
    expect(uncountedFacts(takesAll, trust)).toEqual([
      "ext_authz.rbac.routes take properties of resources, but pipeline.trust counts nobody's resource.",
      "ext_authz.rbac.mfa_verified_at takes MFA evidence, but pipeline.trust counts nobody's mfa.",
      "ext_authz.rbac.client_address takes the client's address, but pipeline.trust counts nobody's ip.",
    ]);
  });

  it("says nothing of what is not taken", () => {
    const takesProperties = takeProperties([{ ...route, resource: { id: "path/id" } }]);
    expect(uncountedFacts({ takesProperties }, trust)).toEqual([]);
  });

  it("says nothing of what counts for somebody", () => {
    const all = { ...trust.unix, resource: true, mfa: true, ip: true };
    expect(uncountedFacts(takesAll, { ...trust, loopback: all })).toEqual([]);
    expect(uncountedFacts(takesAll, { ...trust, certificates: { "spiffe://a": all } })).toEqual([]);
  });
});
