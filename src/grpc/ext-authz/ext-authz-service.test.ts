import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Create } from "typebox/value";
import { describe, expect, it } from "vitest";
import { keptNotes } from "../../../test/support/call-notes.ts";
import { fakePipeline } from "../../../test/support/fake-pipeline.ts";
import { manualClock } from "../../../test/support/manual-clock.ts";
import { callFrom } from "../../../test/support/pipeline.ts";
import type { CallNotes } from "../../base/call-notes.ts";
import { silentLogger } from "../../base/logger.ts";
import { silentMeter } from "../../base/meter.ts";
import { allow, deny } from "../../decision/decision.ts";
import { type ErrorKind, PdpError } from "../../decision/error.ts";
import type { JsonValue } from "../../decision/json.ts";
import type { AccessRequest } from "../../decision/request.ts";
import type { InputDocument, Pipeline } from "../../pipeline/pipeline.ts";
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { createExtAuthz } from "./ext-authz-service.ts";
import { type ExtAuthzOptions, extAuthzOptionsSchema } from "./options.ts";

type Http = NonNullable<
  NonNullable<
    NonNullable<MessageInitShape<typeof CheckRequestSchema>["attributes"]>["request"]
  >["http"]
>;

const frame = {
  decisionId: "019b8d3a-6c00-7abc-8def-0123456789ab",
  application: "envoy",
  revision: "r1",
  generation: 1,
  stalenessMs: 0,
};

/** A policy that says this, of which the queries are kept. */
function saying(document: JsonValue) {
  const queries: { application: string; path: string; input: InputDocument }[] = [];
  const evaluate: Pipeline["evaluate"] = ({ read, application, path, input }) => {
    queries.push({ application, path, input: input("all") });
    const reading = read(document);
    const decision = reading?.allows
      ? allow(frame, { reason: "policy:allow", obligations: [], grant: undefined, roles: [] })
      : deny(frame, "deny:policy");
    return { decision, detail: reading?.detail };
  };
  return { evaluate, queries };
}

const quiet = { clock: manualClock(), logger: silentLogger, meter: silentMeter };

const rbac = {
  ...{ application: "platform", subject: [{ from: "header/x-user", type: "user" as const }] },
  routes: [
    { route: "POST /agents/{id}/run", permission: "agent:execute", resource: { id: "path/id" } },
    { route: "DELETE /agents/{id}", permission: "agent:delete", resource: {} },
  ],
};
const runs = { method: "POST", path: "/agents/a1/run", headers: { "x-user": "u1" } };
const deletes = { ...runs, method: "DELETE", path: "/agents/a1" };

interface Given {
  readonly pipeline?: Partial<Pipeline>;
  readonly options?: Partial<ExtAuthzOptions>;
  readonly extensions?: Record<string, string>;
  readonly notes?: CallNotes;
}

async function check(http: Http | undefined, given: Given = {}) {
  const options = { ...(Create(extAuthzOptionsSchema) as ExtAuthzOptions), rbac, ...given.options };
  const pipeline = fakePipeline(given.pipeline);
  const [handler] = createExtAuthz({ pipeline, options, ...quiet }).handlers.values();
  const attributes = { contextExtensions: given.extensions ?? {}, request: http ? { http } : {} };
  const request = create(CheckRequestSchema, { attributes });
  const call = { ...callFrom(), notes: given.notes };
  const bytes = await handler!(toBinary(CheckRequestSchema, request), call);
  const { status, httpResponse, dynamicMetadata } = fromBinary(CheckResponseSchema, bytes);
  return { code: status?.code, http: httpResponse, reason: dynamicMetadata?.["reason"] };
}

/** What a client gets. */
async function denial(http: Http | undefined, given: Given = {}) {
  const { code, http: response, reason } = await check(http, given);
  expect(code).toBe(7);
  if (response.case !== "deniedResponse") throw new Error(`there is ${response.case}`);
  const { status, body, headers } = response.value;
  const named = headers.map(({ header }) => [header!.key, header!.value]);
  return { status: status?.code, body, headers: Object.fromEntries(named), reason };
}

describe("rego", () => {
  it("asks the configured policy, or the one that the route names", async () => {
    const { evaluate, queries } = saying(true);
    expect((await check(runs, { pipeline: { evaluate } })).code).toBe(0);
    const extensions = { "postern.application": "billing", "postern.path": "billing/allow" };
    await check(runs, { pipeline: { evaluate }, extensions });
    await check(runs, { pipeline: { evaluate }, extensions: { "postern.path": "/a//b/" } });
    expect(queries).toMatchObject([
      {
        application: "envoy",
        path: "envoy/authz/allow",
        input: { parsed_path: ["agents", "a1", "run"] },
      },
      { application: "billing", path: "billing/allow" },
      { application: "envoy", path: "a/b" },
    ]);
  });

  it("takes from the request what a client says in Postern's name, unless the policy says it", async () => {
    const removedWith = async (document: JsonValue) => {
      const { http } = await check(runs, { pipeline: saying(document) });
      return http.case === "okResponse" ? http.value.headersToRemove : http.case;
    };
    const own = ["x-postern-subject", "x-postern-roles", "x-postern-decision-id"];
    expect(await removedWith(true)).toEqual(own);
    const removes = { allowed: true, request_headers_to_remove: ["cookie", own[0]!] };
    expect(await removedWith(removes)).toEqual(["cookie", ...own]);
    const sets = { allowed: true, headers: { "x-postern-subject": "u1" } };
    expect(await removedWith(sets)).toEqual(own.slice(1));
  });

  it("lets the policy speak in Postern's name, but not beside the client, whatever the action", async () => {
    const headers = { "x-postern-subject": { value: "u1", append_action: "append" } };
    const { http } = await check(runs, { pipeline: saying({ allowed: true, headers }) });
    if (http.case !== "okResponse") throw new Error(`there is ${http.case}`);
    expect(http.value.headers).toMatchObject([
      { header: { key: "x-postern-subject", value: "u1" }, append: false },
    ]);
  });

  it("takes away parameters that are the policy's in another spelling", async () => {
    const document = {
      ...{ allowed: true, query_parameters_to_set: { admin: "false" } },
      query_parameters_to_remove: ["a b"],
    };
    const path = "/agents?%61dmin=1&admin=2&x=3&a+b=1&%61%64min&a%20b=";
    const { http } = await check({ ...runs, path }, { pipeline: saying(document) });
    if (http.case !== "okResponse") throw new Error(`there is ${http.case}`);
    // Envoy compares names as they are written.
    const removed = ["a b", "%61dmin", "a+b", "%61%64min", "a%20b"];
    expect(http.value.queryParametersToRemove).toEqual(removed);
    const letters = [..."administrators"];
    const spelt = (bits: number) =>
      letters.map((letter, at) =>
        (bits >> at) & 1 ? `%${letter.charCodeAt(0).toString(16)}` : letter,
      );
    const query = Array.from({ length: 66 }, (_, bits) => spelt(bits).join("")).join("&");
    const sets = saying({ allowed: true, query_parameters_to_set: { administrators: "" } });
    const { status } = await denial({ ...runs, path: `/?${query}` }, { pipeline: sets });
    expect(status).toBe(400);
  });

  it("answers 400 to a malformed body, unless that is left to the policy", async () => {
    const { evaluate, queries } = saying(true);
    const http = { ...runs, headers: { "content-type": "application/json" }, body: "{" };
    const { status, body, reason } = await denial(http, { pipeline: { evaluate } });
    expect({ status, reason }).toEqual({ status: 400, reason: "indeterminate:input" });
    expect(body).toMatch(/^attributes\.request\.http\.body: /);
    expect(queries).toEqual([]);
    const asked = async (how: ExtAuthzOptions["body"], given: Http) => {
      await check(given, { pipeline: { evaluate }, options: { body: how } });
      const { input } = queries.at(-1)!;
      return [input["parsed_body"], input["malformed_body"], input["truncated_body"]];
    };
    expect(await asked("lenient", http)).toEqual([null, true, false]);
    expect(await asked("lenient", { ...http, body: "{}" })).toEqual([{}, undefined, false]);
    expect(await asked("unparsed", http)).toEqual([undefined, undefined, undefined]);
  });

  it("answers 400 to a request that can't be read, and to a way that is none", async () => {
    expect(await denial(undefined, { pipeline: saying(true) })).toMatchObject({
      ...{
        status: 400,
        body: "attributes.request.http: is missing",
        reason: "indeterminate:input",
      },
    });
    const misspelt = { "postern.decides": "both", "other.decides": "x" };
    expect(await denial(runs, { extensions: misspelt })).toMatchObject({
      ...{ status: 400, body: expect.stringContaining("postern.decides: is unknown; expected") },
    });
    for (const name of ["Postern.decide", "postern_dry_run", "postern-decide", "postern"]) {
      const { body } = await denial(runs, { extensions: { [name]: "rbac" } });
      expect(body).toContain(`attributes.context_extensions.${name}: is unknown; expected`);
    }
    expect(await denial(runs, { extensions: { "postern.decide": "never" } })).toMatchObject({
      ...{
        status: 400,
        body: expect.stringContaining('"never" is no way; expected one of rego, rbac'),
      },
    });
  });
});

describe("what fails", () => {
  const failing = (kind: ErrorKind): Partial<Pipeline> => {
    const fail = () => {
      throw new PdpError(kind, "what only the log may tell");
    };
    return { evaluate: fail, check: fail };
  };

  it.each<[ErrorKind, string]>([
    ["not-found", "unavailable:policy"],
    ["permission-denied", "unavailable:trust"],
    ["failed-precondition", "unavailable:directory"],
    ["internal", "unavailable:internal"],
  ])("is a denial in band that tells nothing: %s", async (kind, reason) => {
    for (const decide of ["rego", "rbac", "both"] as const) {
      const given = { pipeline: failing(kind), options: { decide } };
      expect(await denial(runs, given)).toMatchObject({ status: 403, body: "", reason });
    }
  });

  it("is a denial in band where nobody has foreseen it", async () => {
    const evaluate = () => {
      throw new TypeError("x is not a function");
    };
    expect(await denial(runs, { pipeline: { evaluate } })).toMatchObject({
      ...{ status: 403, body: "", reason: "unavailable:internal" },
    });
  });

  it.each<ErrorKind>(["unavailable", "resource-exhausted", "deadline-exceeded"])(
    "is an error where Postern itself can't answer: %s",
    async (kind) => {
      const { code, http } = await check(runs, { pipeline: failing(kind) });
      expect(code).toBe(14);
      expect(http).toMatchObject({ case: "errorResponse", value: { status: { code: 503 } } });
      const later = async () => Promise.reject(new PdpError(kind, "the directory is away"));
      const options = { decide: "rbac" } as const;
      expect((await check(runs, { pipeline: { check: later }, options })).code).toBe(14);
    },
  );
});

describe("notes", () => {
  it("have the headers that name the request's trace, and the answer as it was given", async () => {
    const noted = async (given: Given) => {
      const notes = keptNotes();
      const headers = { ...runs.headers, traceparent: "00-a", "X-B3-TraceId": "none" };
      await check({ ...runs, headers }, { ...given, notes });
      expect(notes.noted[0]).toEqual(["carries", expect.objectContaining({ traceparent: "00-a" })]);
      return notes.noted.slice(1);
    };
    const decided = (reason: string) => [["decided", expect.objectContaining({ reason })]];
    expect(await noted({ pipeline: saying(true) })).toEqual(decided("policy:allow"));
    expect(await noted({ options: { decide: "rbac" } })).toEqual(
      decided("permission:agent:execute"),
    );
    const fails = (kind: ErrorKind): Partial<Pipeline> => ({
      check: () => Promise.reject(new PdpError(kind, "fails")),
    });
    const options = { decide: "rbac" } as const;
    expect(await noted({ options, pipeline: fails("not-found") })).toEqual(
      decided("unavailable:policy"),
    );
    expect(await noted({ options, pipeline: fails("deadline-exceeded") })).toEqual([
      ["failed", "deadline-exceeded"],
    ]);
  });

  it("say which call it was whose failure is logged", async () => {
    const notes = keptNotes();
    const causes: unknown[] = [];
    const evaluate = () => {
      throw new TypeError("x is not a function");
    };
    const refuse: Pipeline["refuse"] = (_, reason, cause) => {
      causes.push(cause);
      return deny(frame, reason);
    };
    await check(runs, { pipeline: { evaluate, refuse }, notes });
    expect(causes).toEqual([{ error: expect.objectContaining({ kind: "internal" }), notes }]);
  });
});

describe("rbac", () => {
  const options = { decide: "rbac" } as const;

  it("lets pass who has the permission, and tells the upstream who it is", async () => {
    const { code, http } = await check(runs, { options });
    expect(code).toBe(0);
    if (http.case !== "okResponse") throw new Error(`there is ${http.case}`);
    expect(http.value.headers).toMatchObject([
      { header: { key: "x-postern-subject", value: "u1" }, append: false },
      { header: { key: "x-postern-roles", value: "operator,user" }, append: false },
      { header: { key: "x-postern-decision-id", value: frame.decisionId }, append: false },
    ]);
  });

  it("leaves out roles that would make a header too long, and a client's with them", async () => {
    const roles = Array.from({ length: 400 }, (_, index) => `role-number-${index}`);
    const basis = {
      reason: "permission:agent:execute",
      obligations: [],
      grant: undefined,
    } as const;
    const pipeline = { ...saying(true), check: () => allow(frame, { ...basis, roles }) };
    for (const extensions of [{}, { "postern.decide": "both" }]) {
      const { http } = await check(runs, { options, extensions, pipeline });
      if (http.case !== "okResponse") throw new Error(`there is ${http.case}`);
      expect(http.value.headers.map(({ header }) => header!.key)).not.toContain("x-postern-roles");
      expect(http.value.headersToRemove).toEqual(["x-postern-roles"]);
    }
  });

  it("answers with the seed's JSON to who has not", async () => {
    expect(await denial(deletes, { options })).toEqual({
      status: 403,
      body: '{"error":"forbidden","required":"agent:delete"}',
      headers: { "content-type": "application/json" },
      reason: "missing:agent:delete",
    });
  });

  it("challenges who has to show MFA evidence", async () => {
    const stepUp = { type: "step-up", properties: { max_age_seconds: 900 } };
    const decide = () => deny(frame, "mfa_required", [stepUp]);
    expect(await denial(runs, { options, pipeline: { check: decide } })).toEqual({
      status: 401,
      body: '{"error":"mfa_required","message":"Multi-factor authentication required"}',
      headers: {
        "content-type": "application/json",
        "www-authenticate":
          'Bearer error="insufficient_user_authentication", ' +
          'error_description="Multi-factor authentication required", max_age="900"',
      },
      reason: "mfa_required",
    });
  });

  it("denies what no route stands for, and nobody", async () => {
    expect(await denial({ ...runs, path: "/other" }, { options })).toMatchObject({
      ...{ status: 403, body: '{"error":"unmapped_route"}', reason: "unmapped_route" },
    });
    expect(await denial({ ...runs, headers: {} }, { options })).toMatchObject({
      ...{ status: 401, body: '{"error":"unauthenticated"}', reason: "unknown_subject" },
      headers: { "www-authenticate": "Bearer" },
    });
  });

  it("answers also where the set has to be read first", async () => {
    const { check: decide } = fakePipeline();
    const later = async (request: AccessRequest) => decide(request, callFrom());
    expect((await check(runs, { options, pipeline: { check: later } })).code).toBe(0);
    expect((await check(deletes, { options, pipeline: { check: later } })).code).toBe(7);
  });
});

describe("both", () => {
  const extensions = { "postern.decide": "both" };

  it("lets pass what both allow, with the headers of both", async () => {
    const headers = { "x-team": "t1", "x-postern-subject": "admin" };
    const request_headers_to_remove = ["cookie", "x-postern-decision-id"];
    const { evaluate } = saying({ allowed: true, headers, request_headers_to_remove });
    const { code, http } = await check(runs, { extensions, pipeline: { evaluate } });
    expect(code).toBe(0);
    if (http.case !== "okResponse") throw new Error(`there is ${http.case}`);
    const named = http.value.headers.map(({ header }) => `${header!.key}: ${header!.value}`);
    expect(named).toEqual([
      ...["x-postern-subject: u1", "x-postern-roles: operator,user"],
      ...[`x-postern-decision-id: ${frame.decisionId}`, "x-team: t1"],
    ]);
    expect(http.value.headersToRemove).toEqual(["cookie"]);
  });

  it("takes away by the policy, in its own words", async () => {
    const { evaluate } = saying({ allowed: false, http_status: 451, body: "not here" });
    // Not of Envoy's list.
    expect((await check(runs, { extensions, pipeline: { evaluate } })).code).toBe(7);
    const other = saying({ allowed: false, http_status: 404, body: "not here" });
    expect(await denial(runs, { extensions, pipeline: other })).toMatchObject({
      ...{ status: 404, body: "not here", reason: "deny:policy" },
    });
  });

  it("does not ask the policy about what the permissions deny", async () => {
    const { evaluate, queries } = saying(true);
    expect(await denial(deletes, { extensions, pipeline: { evaluate } })).toMatchObject({
      reason: "missing:agent:delete",
    });
    expect(queries).toEqual([]);
  });

  it("denies where the policy can't answer", async () => {
    const evaluate = () => {
      throw new PdpError("not-found", "no such policy");
    };
    expect(await denial(runs, { extensions, pipeline: { evaluate } })).toMatchObject({
      ...{ status: 403, reason: "unavailable:policy" },
    });
  });
});
