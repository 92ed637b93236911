// A real Envoy, and the real Postern: what is denied on a route in dry run reaches the upstream, and
// is in the access log, the metrics and the log of Postern.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EchoedRequest } from "../../support/echo-upstream.ts";
import type { EnvoyServer } from "../../support/envoy.ts";
import { type EnvoyScene, openScene } from "../../support/envoy-scene.ts";
import { type HttpQuestion, httpCall } from "../../support/http-call.ts";
import type { ServerProcess } from "../../support/workspace.ts";

const routes = [
  { route: "PUT /settings/**", permission: "admin:configure" },
  { route: "PUT /table/**", permission: "admin:configure", dry_run: true },
];

let scene: EnvoyScene;
let server: ServerProcess;
let envoy: EnvoyServer;

beforeAll(async () => {
  scene = await openScene({
    env: {
      POSTERN_EXT_AUTHZ_RBAC_SUBJECT: JSON.stringify([{ from: "header/x-user" }]),
      POSTERN_EXT_AUTHZ_RBAC_ROUTES: JSON.stringify(routes),
    },
    policy: { folder: "examples/envoy/policy" },
    envoy: {
      withRequestBody: { maxRequestBytes: 1_024, allowPartialMessage: true },
      accessLogFormat: "%REQ(:PATH)% %DYNAMIC_METADATA(envoy.filters.http.ext_authz)%",
      routes: [
        { prefix: "/settings", contextExtensions: { "postern.decide": "rbac" } },
        { prefix: "/table", contextExtensions: { "postern.decide": "rbac" } },
        { prefix: "/tried", contextExtensions: { "postern.dry_run": "true" } },
        { prefix: "/wrong", contextExtensions: { "postern.dry_run": "maybe" } },
        { prefix: "/" },
      ],
    },
  });
  ({ server, envoy } = scene);
});
afterAll(() => scene?.close());

const ask = (question: HttpQuestion) => httpCall(envoy.port, question);

describe("a route in dry run", () => {
  it("lets pass what is denied elsewhere, without what a client says in Postern's name", async () => {
    const headers = { "X-Postern-Subject": "admin-1", "x-postern-decision-id": "1" };
    const { status, body } = await ask({ method: "DELETE", path: "/tried/1", headers });
    expect(status).toBe(200);
    const request = JSON.parse(body) as EchoedRequest;
    expect(request).toMatchObject({ method: "DELETE", url: "/tried/1" });
    expect(request.headers.filter(([name]) => /^x-postern-/i.test(name))).toEqual([]);
    expect((await ask({ method: "DELETE", path: "/articles/1", headers })).status).toBe(403);
  });

  it("lets pass what can't be read, too", async () => {
    const question = {
      ...{ method: "POST", body: "{" },
      headers: { "content-type": "application/json" },
    };
    expect((await ask({ ...question, path: "/tried/1" })).status).toBe(200);
    expect((await ask({ ...question, path: "/articles/1" })).status).toBe(400);
  });

  it("can stand in the table of routes", async () => {
    const headers = { "x-user": "user-123" };
    expect((await ask({ method: "PUT", path: "/table/a", headers })).status).toBe(200);
    expect((await ask({ method: "PUT", path: "/settings/a", headers })).status).toBe(403);
  });

  it("is none where the route says neither true nor false", async () => {
    const { status, body } = await ask({ path: "/wrong", headers: { "x-caller": "reader" } });
    expect(status).toBe(400);
    expect(body).toContain('"maybe" is neither; expected true or false');
  });

  it("can't be asked for by a client", async () => {
    const headers = { "postern.dry_run": "true", "x-postern-dry-run": "true" };
    const path = "/articles/1?postern.dry_run=true";
    expect((await ask({ method: "DELETE", path, headers })).status).toBe(403);
  });

  it("is told to the access log, the metrics and the log", async () => {
    await ask({ method: "DELETE", path: "/tried/2?token=secret" });
    await expect
      .poll(() => envoy.accessLog().find((line) => line.startsWith("/tried/2?token=secret ")))
      .toMatch(/"dry_run":true/);
    const line = server.log.find(({ path }) => path === "/tried/2");
    expect(line).toMatchObject({ method: "DELETE", reason: "deny:policy", application: "envoy" });
    const metrics = await (await fetch(`${server.diagnostics}/metrics`)).text();
    expect(metrics).toMatch(
      /^postern_dry_run_passes_total\{application="envoy",reason="deny"\} \d+$/m,
    );
  });
});
