// What a client can make large. Envoy lets failed checks pass here, so that only a denial keeps them out.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KiB, MiB } from "../../../src/base/sizes.ts";
import type { EchoUpstream } from "../../support/echo-upstream.ts";
import type { EnvoyServer } from "../../support/envoy.ts";
import { type EnvoyScene, openScene } from "../../support/envoy-scene.ts";
import { type HttpQuestion, httpCall } from "../../support/http-call.ts";

let scene: EnvoyScene;
let upstream: EchoUpstream;
let envoy: EnvoyServer;

beforeAll(async () => {
  scene = await openScene({
    policy: { folder: "examples/envoy/policy" },
    envoy: {
      ...{ failureModeAllow: true, requestHeadersKbMax: 8_192 },
      withRequestBody: { maxRequestBytes: 8 * MiB },
      accessLogFormat: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:reason)%",
    },
  });
  ({ upstream, envoy } = scene);
});
afterAll(() => scene?.close());

const bodyOf = (bytes: number): HttpQuestion => ({
  ...{ method: "POST", path: "/articles", body: "x".repeat(bytes) },
  headers: { "x-caller": "editor", "content-type": "application/json" },
});
const manyValues: HttpQuestion = { ...bodyOf(0), body: `[${"{},".repeat(80_000)}{}]` };
const headersOf = (count: number, bytes: number): HttpQuestion => {
  const large = Array.from({ length: count }, (_, index) => [`x-h${index}`, "x".repeat(bytes)]);
  return { headers: Object.fromEntries([["x-caller", "reader"], ...large]) };
};

describe("a request that is too large to ask about, with failure_mode_allow", () => {
  it.each<[string, HttpQuestion, number]>([
    ["a body larger than a policy's input", bodyOf(256 * KiB + 1), 413],
    ["a body of more values than a policy's input", manyValues, 400],
    ["a body of just what a call may have", bodyOf(MiB - 16), 413],
    ["a body larger than a call may be", bodyOf(2 * MiB), 413],
    ["the largest body that Envoy sends", bodyOf(8 * MiB), 413],
    ["1 MB of headers", headersOf(20, 52 * KiB), 413],
    ["7 MB in one header", headersOf(1, 7 * MiB), 413],
  ])("is denied: %s", async (_, question, status) => {
    const before = upstream.requests.length;
    expect((await httpCall(envoy.port, question)).status).toBe(status);
    expect(upstream.requests).toHaveLength(before);
    await expect.poll(() => envoy.accessLog().at(-1)).toBe("indeterminate:input");
  });

  it("doesn't keep others on the same connection from an answer", async () => {
    const small = { headers: { "x-caller": "reader" } };
    const asked = Array.from({ length: 40 }, (_, index) =>
      httpCall(envoy.port, index % 2 === 0 ? bodyOf(2 * MiB) : small),
    );
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses).toEqual(statuses.map((_, index) => (index % 2 === 0 ? 413 : 200)));
  });
});
