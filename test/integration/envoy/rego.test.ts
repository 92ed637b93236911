// A real Envoy before an upstream, and the real Postern beside it with a policy that was written for
// OPA's Envoy plugin: examples/envoy/policy.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EchoedRequest, EchoUpstream } from "../../support/echo-upstream.ts";
import { type EnvoyServer, startEnvoy } from "../../support/envoy.ts";
import { type EnvoyScene, openScene } from "../../support/envoy-scene.ts";
import { type HttpQuestion, httpCall, valuesOf } from "../../support/http-call.ts";
import { createWorkspace, type ServerProcess } from "../../support/workspace.ts";

let scene: EnvoyScene;
let server: ServerProcess;
let upstream: EchoUpstream;
let envoy: EnvoyServer;

beforeAll(async () => {
  scene = await openScene({
    policy: { folder: "examples/envoy/policy" },
    envoy: {
      statusOnError: 503,
      withRequestBody: { maxRequestBytes: 1_024, allowPartialMessage: true },
      accessLogFormat: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz)%",
    },
  });
  ({ server, upstream, envoy } = scene);
});
afterAll(() => scene?.close());

const ask = (question: HttpQuestion) => httpCall(envoy.port, question);

/** What reached the upstream. */
async function passed(question: HttpQuestion): Promise<EchoedRequest> {
  const { status, body } = await ask(question);
  expect(status).toBe(200);
  return JSON.parse(body) as EchoedRequest;
}

describe("a policy of OPA's Envoy plugin", () => {
  it("lets a request pass, with headers set and removed", async () => {
    const request = await passed({ path: "/articles/1?a=b", headers: { "x-caller": "reader" } });
    expect(request.url).toBe("/articles/1?a=b");
    expect(valuesOf(request, "x-user")).toEqual(["reader"]);
    expect(valuesOf(request, "x-caller")).toEqual([]);
  });

  it("keeps out a header that a client smuggles in", async () => {
    const own = {
      "X-Postern-Subject": "admin",
      "x-postern-roles": "a",
      "x-postern-decision-id": "1",
    };
    const headers = { "x-caller": "reader", "X-User": ["admin", "root"], ...own };
    const request = await passed({ headers });
    expect(valuesOf(request, "x-user")).toEqual(["reader"]);
    expect(request.headers.filter(([name]) => /^x-postern-/i.test(name))).toEqual([]);
  });

  it("denies with the policy's status, headers and body", async () => {
    const before = upstream.requests.length;
    const { status, headers, body } = await ask({ method: "DELETE" });
    expect(status).toBe(403);
    expect(headers).toContainEqual(["content-type", "application/json"]);
    expect(body).toBe('{"error":"forbidden"}');
    expect(upstream.requests).toHaveLength(before);
  });

  it("sees the body that Envoy forwards", async () => {
    const asEditor = (body: object) => ({
      ...{ method: "POST", path: "/articles", body: JSON.stringify(body) },
      headers: { "content-type": "application/json", "x-caller": "editor" },
    });
    const { body } = await passed(asEditor({ author: "editor" }));
    expect(JSON.parse(body)).toEqual({ author: "editor" });
    expect((await ask(asEditor({ author: "somebody" }))).status).toBe(403);
    // Cut off by Envoy, so that nobody knows whose it is.
    expect((await ask(asEditor({ author: "editor", text: "x".repeat(2_000) }))).status).toBe(403);
  });

  it("refuses a malformed body, and says what is wrong with it", async () => {
    const { status, body } = await ask({
      ...{ method: "POST", path: "/articles", body: '{"author": "editor"' },
      headers: { "content-type": "application/json", "x-caller": "editor" },
    });
    expect(status).toBe(400);
    expect(body).toMatch(/^attributes\.request\.http\.body: /);
  });

  it("flags a path that the upstream may read as another", async () => {
    const headers = { "x-caller": "reader" };
    for (const path of ["/articles/%2e%2e/admin", "/articles%2Fadmin", "//admin", "/a;b/c"]) {
      expect((await ask({ path, headers })).status, path).toBe(403);
    }
    expect((await ask({ path: "/articles/a%20b", headers })).status).toBe(200);
  });

  it("tells the access log by which decision", async () => {
    await ask({ method: "DELETE", path: "/logged" });
    await expect
      .poll(() => JSON.parse(envoy.accessLog().at(-1) ?? "{}"))
      .toMatchObject({
        decision_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        reason: "deny:policy",
      });
  });
});

describe("what the policy can't answer", () => {
  it.each<[string, Record<string, string>, string]>([
    ["an application that is not there", { "postern.application": "absent" }, "unavailable:policy"],
    ["a path that the policy has not", { "postern.path": "other/authz" }, "unavailable:policy"],
    ["an undefined document", { "postern.path": "envoy/authz/absent" }, "deny:undefined"],
    ["another shape", { "postern.path": "envoy/authz/caller" }, "indeterminate:result"],
  ])("is denied, also where failures are let through: %s", async (_, contextExtensions, reason) => {
    const lenient = await startEnvoy({
      ...{ pdp: [server.address], upstreamPort: upstream.port, failureModeAllow: true },
      routes: [{ prefix: "/", contextExtensions }],
      accessLogFormat: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:reason)%",
    });
    const { status } = await httpCall(lenient.port, { headers: { "x-caller": "reader" } });
    expect(status).toBe(403);
    await expect.poll(() => lenient.accessLog().at(-1)).toBe(reason);
  });

  it("is let through by `failure_mode_allow` alone where Postern is gone", async () => {
    const setup = { pdp: ["127.0.0.1:1"], upstreamPort: upstream.port };
    const lenient = await startEnvoy({ ...setup, failureModeAllow: true });
    expect((await httpCall(lenient.port)).status).toBe(200);
    const strict = await startEnvoy({ ...setup, statusOnError: 503 });
    expect((await httpCall(strict.port)).status).toBe(503);
  });
});

describe("a caller without trust", () => {
  it("gets a denial, whatever it asks", async () => {
    const wary = createWorkspace({ POSTERN_PIPELINE_TRUST_LOOPBACK_IDENTITY: "false" });
    const untrusting = await wary.serve();
    try {
      const lenient = await startEnvoy({
        ...{ pdp: [untrusting.address], upstreamPort: upstream.port, failureModeAllow: true },
      });
      expect((await httpCall(lenient.port)).status).toBe(403);
    } finally {
      await untrusting.stop();
      wary.remove();
    }
  });
});
