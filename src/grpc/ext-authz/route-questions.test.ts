import { Create } from "typebox/value";
import { describe, expect, it } from "vitest";
import { httpCheck } from "../../../test/support/http-check.ts";
import type { InputDocument } from "../../pipeline/pipeline.ts";
import { extAuthzOptionsSchema, type RbacOptions } from "./options.ts";
import { ParsedPath } from "./parsed-path.ts";
import type { RouteBody } from "./route-body.ts";
import { createRouteQuestions } from "./route-questions.ts";

const route = { route: "GET /agents/{id}", permission: "agent:read", resource: { id: "path/id" } };

interface Given {
  readonly options?: Partial<RbacOptions>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly path?: string;
  readonly sourceAddress?: string;
  readonly hasRawHeaders?: boolean;
  readonly attributes?: InputDocument;
  readonly readBody?: () => RouteBody;
}

const ownerBody: RouteBody = {
  value: { owner: "u2" },
  names: "json",
  query: {},
  isReplaced: false,
};

function ask({ options = {}, readBody = () => ownerBody, ...given }: Given) {
  const { method = "GET", path = "/agents/a1", headers = { "x-user": "u1" }, ...more } = given;
  const { rbac } = Create(extAuthzOptionsSchema) as { rbac: RbacOptions };
  const subject = [{ from: "header/x-user", type: "user" as const }];
  const questions = createRouteQuestions({ ...rbac, subject, routes: [route], ...options });
  const attributed = { method, path, headers, sourcePrincipal: "spiffe://web" };
  const request = httpCheck({ ...attributed, ...more });
  return questions.ask(request, new ParsedPath(path), readBody);
}

describe("createRouteQuestions()", () => {
  it("makes a question of a route", () => {
    const headers = { "x-user": "u1", "x-request-id": "r1" };
    expect(ask({ headers, sourceAddress: "10.1.2.3" })).toEqual({
      kind: "question",
      route: "GET /agents/{id}",
      permission: "agent:read",
      request: {
        application: "platform",
        subject: { type: "user", id: "u1", properties: {} },
        action: { name: "read", properties: {} },
        resource: { type: "agent", id: "a1", properties: {} },
        context: { ip: "10.1.2.3" },
        requestId: "r1",
        consistency: { minimumGeneration: 0, bypassCache: false },
      },
    });
  });

  it("takes properties from where they stand, and leaves out those that don't", () => {
    const resource = { owner: "body/owner", creator: "body/creator", project: "header/x-project" };
    const headers = { "x-user": "u1", "x-project": "alpha" };
    expect(ask({ options: { routes: [{ ...route, resource }] }, headers })).toMatchObject({
      request: { resource: { id: undefined, properties: { owner: "u2", project: "alpha" } } },
    });
  });

  it("decodes a parameter", () => {
    expect(ask({ path: "/agents/a%20b%C3%A9" })).toMatchObject({
      request: { resource: { id: "a bé" } },
    });
  });

  it("takes the first subject that there is", () => {
    const subject = [
      { from: "header/x-user", type: "user" as const },
      { from: "principal", type: "service" as const },
    ];
    const ofSubject = (headers: Record<string, string>) => ask({ options: { subject }, headers });
    expect(ofSubject({ "x-user": "u1" })).toMatchObject({ request: { subject: { id: "u1" } } });
    expect(ofSubject({})).toMatchObject({
      request: { subject: { type: "service", id: "spiffe://web" } },
    });
  });

  it.each([
    ["1764000000", "2025-11-24T16:00:00.000Z"],
    ["2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z"],
  ])("takes the time of MFA evidence: %s", (text, instant) => {
    const options = { mfaVerifiedAt: "header/x-mfa" };
    const headers = { "x-user": "u1", "x-mfa": text };
    expect(ask({ options, headers })).toMatchObject({
      request: { context: { mfa: { verified_at: instant } } },
    });
  });

  it("refuses raw headers, in which it would not see a fact", () => {
    expect(() => ask({ hasRawHeaders: true })).toThrow(
      "attributes.request.http.header_map: is not read here; turn off encode_raw_headers in Envoy",
    );
  });

  it("takes the client's address from where it is said to stand", () => {
    const options = { clientAddress: "header/x-envoy-external-address" };
    const contextWith = (address?: string) => {
      const headers = { "x-user": "u1", ...(address && { "x-envoy-external-address": address }) };
      const asked = ask({ options, headers, sourceAddress: "10.1.2.3" });
      return asked.kind === "question" ? asked.request.context : asked.kind;
    };
    expect(contextWith("203.0.113.9")).toEqual({ ip: "203.0.113.9" });
    expect(contextWith("2001:db8::1")).toEqual({ ip: "2001:db8::1" });
    // Not the balancer's: who is nowhere is in no network.
    expect(contextWith()).toEqual({});
    expect(() => contextWith("10.1.2.3, 203.0.113.9")).toThrow("external-address: has a comma");
    for (const wrong of ["localhost", "10.1.2.3:80"]) {
      expect(() => contextWith(wrong)).toThrow(/^client_address: ".*" is no IP address$/);
    }
  });

  it("says that the subject has shown a certificate to Envoy", () => {
    const contextBy = (from: string, headers: Record<string, string> = {}) => {
      const options = { subject: [{ from, type: "service" as const }] };
      const asked = ask({ options, headers });
      return asked.kind === "question" ? asked.request.context : asked.kind;
    };
    expect(contextBy("principal")).toEqual({ authentication: "mtls" });
    const headers = { "x-forwarded-client-cert": `Hash=${"ab".repeat(32)};URI=spiffe://a` };
    expect(contextBy("xfcc/uri", headers)).toEqual({});
    expect(contextBy("header/x-user", { "x-user": "u1" })).toEqual({});
  });

  it.each([
    [["pwd", "mfa"], true],
    ["mfa", true],
    [["pwd"], false],
    ["pwd mfa", false],
    [["MFA"], false],
    [[["mfa"]], false],
    [{ mfa: "mfa" }, false],
    [undefined, false],
  ])("counts the time of MFA evidence with the claim %j: %o", (amr, counts) => {
    const options = {
      mfaVerifiedAt: "metadata/jwt/auth_time",
      mfaClaim: { from: "metadata/jwt/amr", values: ["mfa", "otp"] },
    };
    const jwt = { auth_time: 1_764_000_000, ...(amr !== undefined && { amr }) };
    const attributes = { metadataContext: { filterMetadata: { jwt } } };
    const context = counts ? { mfa: { verified_at: "2025-11-24T16:00:00.000Z" } } : {};
    expect(ask({ options, attributes })).toHaveProperty("request.context", context);
  });

  it("knows nobody where no place has a subject", () => {
    const anonymous = {
      kind: "anonymous",
      route: "GET /agents/{id}",
      permission: "agent:read",
    };
    expect(ask({ headers: {} })).toEqual(anonymous);
    expect(ask({ options: { subject: [] } })).toEqual(anonymous);
  });

  it.each([
    ["another method", { method: "POST" }],
    ["another path", { path: "/models/a1" }],
    ["no method", { method: "" }],
    ["a path that the upstream may read as another", { path: "/agents/%2e%2e" }],
    ["a path with an encoded slash", { path: "/agents/a%2Fb" }],
    ["a path with two slashes", { path: "//agents/a1" }],
    ["a path with parameters", { path: "/agents/a1;x=y" }],
  ])("has no route for %s", (_, given) => {
    expect(ask(given)).toEqual({ kind: "unmapped" });
  });

  it("refuses what can't be part of a question", () => {
    const long = "x".repeat(257);
    expect(() => ask({ headers: { "x-user": long } })).toThrow(/^subject\.id: /);
    expect(() => ask({ path: `/agents/${long}` })).toThrow(/^resource\.id: /);
    const routes = [{ ...route, resource: { owner: "body/owner" } }];
    const readBody = () => {
      throw new Error("can't be read");
    };
    expect(() => ask({ options: { routes }, readBody })).toThrow("can't be read");
    // Where nothing is taken from it, nobody reads it.
    expect(ask({ readBody })).toMatchObject({ kind: "question" });
  });

  it.each<[Partial<RbacOptions>, string]>([
    [
      { subject: [{ from: "body/me", type: "user" }] },
      'subject[0].from: "body/me" is what whoever asks says of himself; expected header/<name>',
    ],
    [
      { subject: [{ from: "path/id", type: "user" }] },
      'subject[0].from: "path/id" is what whoever asks says of himself',
    ],
    [{ mfaVerifiedAt: "body/t" }, 'mfa_verified_at: "body/t" is what whoever asks'],
    [
      { mfaVerifiedAt: "header/a", mfaClaim: { from: "body/amr", values: ["mfa"] } },
      'mfa_claim: "body/amr" is what whoever asks',
    ],
    [{ mfaClaim: { from: "header/amr", values: ["mfa"] } }, "mfa_claim: says with what a time"],
    [{ clientAddress: "path/ip" }, 'client_address: "path/ip" is what whoever asks'],
    [{ subject: [{ from: "cookie/x", type: "user" }] }, 'subject[0].from: "cookie/x" is no source'],
    [{ mfaVerifiedAt: "x" }, 'mfa_verified_at: "x" is no source'],
    [{ routes: [{ ...route, route: "GET agents" }] }, "routes[0].route: expected a method"],
    [{ routes: [{ ...route, permission: "agent" }] }, "routes[0].permission: the action: "],
    [{ routes: [{ ...route, permission: "a:b:c" }] }, "routes[0].permission: has more than one"],
    [{ routes: [{ ...route, permission: "agent:*" }] }, "routes[0].permission: the action: "],
    [
      { routes: [{ ...route, resource: { id: "path/agent" } }] },
      "routes[0].resource.id: the route has no parameter {agent}",
    ],
    [
      { routes: [route, { ...route, route: "GET /agents/{agent}", resource: {} }] },
      "routes[1].route: is the same as routes[0]",
    ],
  ])("refuses options that can't be meant, and names the place: %j", (options, why) => {
    expect(() => ask({ options })).toThrow(`ext_authz.rbac.${why}`);
  });
});
