// A real Envoy, and the real Postern with a table of routes over the roles of `platform`: no Rego of
// anybody's own.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EchoedRequest, EchoUpstream } from "../../support/echo-upstream.ts";
import type { EnvoyServer } from "../../support/envoy.ts";
import { type EnvoyScene, openScene } from "../../support/envoy-scene.ts";
import { type HttpQuestion, httpCall, valuesOf } from "../../support/http-call.ts";
import type { Workspace } from "../../support/workspace.ts";

const routes = [
  {
    route: "POST /agents/{id}/run",
    permission: "agent:execute",
    resource: { id: "path/id", classification: "header/x-classification" },
  },
  { route: "PUT /settings/**", permission: "admin:configure" },
  {
    route: "POST /models/{id}/deploy",
    permission: "model:deploy",
    resource: { id: "path/id", owner: "body/owner" },
  },
];

let scene: EnvoyScene;
let workspace: Workspace;
let upstream: EchoUpstream;
let envoy: EnvoyServer;

beforeAll(async () => {
  scene = await openScene({
    env: {
      POSTERN_EXT_AUTHZ_DECIDE: "rbac",
      POSTERN_EXT_AUTHZ_RBAC_SUBJECT: JSON.stringify([
        { from: "metadata/envoy.filters.http.jwt_authn/payload/sub" },
        { from: "header/x-user" },
      ]),
      POSTERN_EXT_AUTHZ_RBAC_MFA_VERIFIED_AT: "header/x-mfa-at",
      POSTERN_EXT_AUTHZ_RBAC_ROUTES: JSON.stringify(routes),
    },
    envoy: {
      failureModeAllow: true,
      withRequestBody: { maxRequestBytes: 1_024, allowPartialMessage: true },
      routes: [
        { prefix: "/unchecked", disabled: true },
        { prefix: "/agents/both", contextExtensions: { "postern.decide": "both" } },
        { prefix: "/" },
      ],
    },
  });
  ({ workspace, upstream, envoy } = scene);
});
afterAll(() => scene?.close());

const ask = (question: HttpQuestion) => httpCall(envoy.port, question);
const run = (headers: Record<string, string>): HttpQuestion => ({
  ...{ method: "POST", path: "/agents/a1/run", headers },
});

describe("a table of routes", () => {
  it("lets pass who has the permission, and tells the upstream who it is", async () => {
    const { status, body } = await ask(run({ "x-user": "user-123" }));
    expect(status).toBe(200);
    const request = JSON.parse(body) as EchoedRequest;
    expect(valuesOf(request, "x-postern-subject")).toEqual(["user-123"]);
    expect(valuesOf(request, "x-postern-roles")).toEqual(["developer,user"]);
    expect(valuesOf(request, "x-postern-decision-id")[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("keeps out a subject and roles that a client smuggles in", async () => {
    const smuggled = { "X-Postern-Subject": "admin-1", "X-Postern-Roles": "admin" };
    const { body } = await ask(run({ "x-user": "user-123", ...smuggled }));
    expect(valuesOf(JSON.parse(body), "x-postern-subject")).toEqual(["user-123"]);
    expect(valuesOf(JSON.parse(body), "x-postern-roles")).toEqual(["developer,user"]);
  });

  it("answers 403 to who has not, and says what it takes", async () => {
    const question = { method: "PUT", path: "/settings/a/b", headers: { "x-user": "user-123" } };
    const { status, headers, body } = await ask(question);
    expect(status).toBe(403);
    expect(headers).toContainEqual(["content-type", "application/json"]);
    expect(JSON.parse(body)).toEqual({ error: "forbidden", required: "admin:configure" });
  });

  it("answers 401 to nobody, and to somebody unknown 403", async () => {
    expect(await ask(run({}))).toMatchObject({ status: 401, body: '{"error":"unauthenticated"}' });
    expect((await ask(run({ "x-user": "who-is-this" }))).status).toBe(403);
  });

  it("challenges who has to show MFA evidence, and lets pass who has", async () => {
    const question = (mfa: Record<string, string>) =>
      run({ "x-user": "user-123", "x-classification": "sensitive", ...mfa });
    const { status, headers, body } = await ask(question({}));
    expect(status).toBe(401);
    expect(JSON.parse(body).error).toBe("mfa_required");
    const challenge = headers.find(([name]) => name === "www-authenticate")?.[1];
    expect(challenge).toContain('error="insufficient_user_authentication"');
    const now = `${Math.floor(Date.now() / 1_000)}`;
    expect((await ask(question({ "x-mfa-at": now }))).status).toBe(200);
    expect((await ask(question({ "x-mfa-at": `${Number(now) - 3_600}` }))).status).toBe(401);
  });

  it.each([
    "/agents/a1",
    "/agents//a1/run",
    "/agents/a1/run/",
    "/agents/%61/../run",
    "/x/agents/a1/run",
  ])("denies what no route stands for: %s", async (path) => {
    const { status, body } = await ask({ ...run({ "x-user": "user-123" }), path });
    expect([status, JSON.parse(body)]).toEqual([403, { error: "unmapped_route" }]);
  });

  it("lets pass unchecked what Envoy's route says", async () => {
    expect((await ask({ path: "/unchecked/health" })).status).toBe(200);
  });

  it("does not take a missing policy for a yes", async () => {
    // There is no policy for Envoy, which `both` would ask after the permissions.
    const question = { ...run({ "x-user": "user-123" }), path: "/agents/both/run" };
    expect(await ask(question)).toMatchObject({ status: 403, body: "" });
  });

  it("denies what would be taken from the rest of a body", async () => {
    const deploy = (body: string) => ({
      ...{ method: "POST", path: "/models/m1/deploy", body },
      headers: { "x-user": "user-123", "content-type": "application/json" },
    });
    const whole = await ask(deploy('{"owner":"user-123"}'));
    const cut = await ask(deploy(JSON.stringify({ owner: "user-123", text: "x".repeat(2_000) })));
    expect(whole.status).toBe(200);
    expect(cut.status).toBe(400);
    expect((await ask(deploy('{"owner":"user-456"}'))).status).toBe(403);
  });

  it.each([
    ["another kind of JSON", "text/json", '{"owner":"user-123"}'],
    ["two types in one", "application/x-www-form-urlencoded; x=application/json", "owner=user-123"],
    ["a name twice", "application/json", '{"owner":"user-123","owner":"user-456"}'],
    ["a name in another case", "application/json", '{"owner":"user-123","Owner":"user-456"}'],
    ["no text", "application/json", '{"owner":["user-123"]}'],
    ["bytes that are no text", "application/json", '{"owner":"user-123\xff"}'],
    ["no body", "application/json", ""],
  ])("denies what upstreams may read otherwise: %s", async (_, contentType, body) => {
    const before = upstream.requests.length;
    const headers = { "x-user": "user-123", "content-type": contentType };
    const bytes = Buffer.from(body, "latin1");
    const question = { method: "POST", path: "/models/m1/deploy", headers, body: bytes };
    const { status } = await ask(question);
    expect(status).toBe(400);
    expect(upstream.requests).toHaveLength(before);
  });
});

describe("postern envoy try", () => {
  const tryFile = async (attributes: object, ...args: string[]) => {
    const file = join(workspace.folder, "check.json");
    writeFileSync(file, JSON.stringify({ attributes }));
    return workspace.postern("envoy", "try", file, "--socket", "state/control.sock", ...args);
  };
  const http = (user: string, path = "/agents/a1/run") => ({
    request: { http: { method: "POST", path, headers: { "x-user": user } } },
  });

  it("shows what the server answers, and why", async () => {
    const { status, stdout, stderr } = await tryFile(http("user-123"));
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^allow +permission:agent:execute +platform@/m);
    expect(stdout).toMatch(/^decided by +rbac$/m);
    expect(stdout).toMatch(/^route +POST \/agents\/\{id\}\/run takes agent:execute$/m);
    expect(stdout).toMatch(/^resource +agent a1$/m);
    const response = JSON.parse(stdout.slice(stdout.indexOf("{\n")));
    expect(response.okResponse.headers[0].header).toEqual({
      ...{ key: "x-postern-subject", value: "user-123" },
    });
  });

  it("ends with 1 where a request does not pass, and says why not", async () => {
    const forbidden = await tryFile(http("user-9"), "--json");
    expect(forbidden.status).toBe(1);
    expect(JSON.parse(forbidden.stdout)).toMatchObject({
      response: { deniedResponse: { status: { code: "Forbidden" } } },
      ...{ way: "rbac", route: { kind: "question" } },
    });
    const unmapped = await tryFile(http("user-123", "/other"));
    expect(unmapped).toMatchObject({
      status: 1,
      stdout: expect.stringContaining("unmapped_route"),
    });
    const malformed = await tryFile({});
    expect(malformed.status).toBe(1);
    expect(malformed.stdout).toMatch(/^refused +attributes\.request\.http: is missing$/m);
  });

  it("takes typed metadata of protobuf's own types, and names the type of others", async () => {
    const typed = (type: string, value: object) => ({
      typedFilterMetadata: { "a.filter": { "@type": `type.googleapis.com/${type}`, ...value } },
    });
    const metadataContext = typed("google.protobuf.Struct", { value: { tier: 1 } });
    expect((await tryFile({ ...http("user-123"), metadataContext })).status).toBe(0);
    const unknown = typed("a.Filter", { tier: 1 });
    const { status, stderr } = await tryFile({ ...http("user-123"), metadataContext: unknown });
    expect([status, stderr]).toEqual([2, expect.stringContaining("a.Filter is not in the")]);
  });

  it("has no verdict on what is no check", async () => {
    const { status, stderr } = await tryFile({ request: { http: { methode: "GET" } } });
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /check\.json: .*expected an envoy\.service\.auth\.v3\.CheckRequest as JSON/,
    );
  });
});
