import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EchoedRequest, EchoUpstream } from "../../support/echo-upstream.ts";
import { type EnvoyServer, startEnvoy } from "../../support/envoy.ts";
import { type EnvoyScene, openScene } from "../../support/envoy-scene.ts";
import { httpCall, valuesOf } from "../../support/http-call.ts";
import type { ServerProcess } from "../../support/workspace.ts";

const POLICY = `package envoy.authz

path := input.parsed_path[0]

allow := {"allowed": false, "redirect": "https://login.example/?back=%2Fa"} if path == "login"

allow := {
	"allowed": false,
	"http_status": 429,
	"headers": {"retry-after": "7"},
	"body": "later",
} if path == "busy"

allow := {
	"allowed": true,
	"headers": {"x-roles": []},
	"response_headers_to_add": {"set-cookie": ["a=1", "b=2"]},
	"query_parameters_to_set": {"admin": "false"},
	"query_parameters_to_remove": ["debug"],
	"dynamic_metadata": {"who": "u1"},
} if path == "full"

allow := {"allowed": true, "error": "no keys"} if path == "broken"

# Of raw headers, as bytes.
allow if {
	path == "raw"
	some header in input.attributes.request.http.headerMap.headers
	header.key == "x-raw"
	base64.decode(header.rawValue) == "v1"
}
`;

let scene: EnvoyScene;
let server: ServerProcess;
let upstream: EchoUpstream;
let envoy: EnvoyServer;

beforeAll(async () => {
  scene = await openScene({
    policy: { rego: POLICY },
    envoy: {
      failureModeAllow: true,
      accessLogFormat: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz)%",
    },
  });
  ({ server, upstream, envoy } = scene);
});
afterAll(() => scene?.close());

const ask = (path: string, headers: Record<string, string> = {}) =>
  httpCall(envoy.port, { path, headers });
const logged = () => JSON.parse(envoy.accessLog().at(-1) ?? "{}");

describe("an answer of a policy, through Envoy", () => {
  it("redirects", async () => {
    const answer = await ask("/login");
    expect(answer.status).toBe(302);
    expect(valuesOf(answer, "location")).toEqual(["https://login.example/?back=%2Fa"]);
  });

  it("has its own status, headers and body", async () => {
    const answer = await ask("/busy");
    expect([answer.status, answer.body]).toEqual([429, "later"]);
    expect(valuesOf(answer, "retry-after")).toEqual(["7"]);
  });

  it("changes the request, the answer, and the access log", async () => {
    const answer = await ask("/full?a=1&%61dmin=true&debug=1&admin=1", { "x-roles": "admin" });
    expect(answer.status).toBe(200);
    expect(valuesOf(answer, "set-cookie")).toEqual(["a=1", "b=2"]);
    const request = JSON.parse(answer.body) as EchoedRequest;
    expect(request.url).toBe("/full?a=1&admin=false");
    expect(valuesOf(request, "x-roles")).toEqual([]);
    await expect.poll(logged).toMatchObject({ who: "u1", reason: "policy:allow" });
  });

  it("that says it can't be given is a denial, also where failures are let through", async () => {
    const before = upstream.requests.length;
    expect(await ask("/broken")).toMatchObject({ status: 500, body: "" });
    expect(upstream.requests).toHaveLength(before);
    await expect.poll(logged).toMatchObject({ error: "no keys", reason: "deny:error" });
    expect(server.log).toContainEqual(expect.objectContaining({ why: "error", detail: "no keys" }));
  });

  it("may rest on headers as they came", async () => {
    const raw = await startEnvoy({
      ...{ pdp: [server.address], upstreamPort: upstream.port, encodeRawHeaders: true },
      routes: [
        { prefix: "/table", contextExtensions: { "postern.decide": "rbac" } },
        { prefix: "/" },
      ],
    });
    const statusOf = async (path: string, value: string) =>
      (await httpCall(raw.port, { path, headers: { "x-raw": value } })).status;
    expect(await statusOf("/raw", "v1")).toBe(200);
    expect(await statusOf("/raw", "v2")).toBe(403);
    // A table of routes would not see what it goes by.
    expect(await statusOf("/table", "v1")).toBe(400);
  });
});
