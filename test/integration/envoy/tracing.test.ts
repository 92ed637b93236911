// A real Envoy that traces, the real Postern, and one collector for the spans of both.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EchoUpstream, openUpstream } from "../../support/echo-upstream.ts";
import { startEnvoy } from "../../support/envoy.ts";
import type { EnvoySetup } from "../../support/envoy-bootstrap.ts";
import { httpCall } from "../../support/http-call.ts";
import { type OtlpReceiver, openOtlpReceiver } from "../../support/otlp-receiver.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "../../support/workspace.ts";

let workspace: Workspace;
let receiver: OtlpReceiver;
let server: ServerProcess;
let upstream: EchoUpstream;

beforeAll(async () => {
  receiver = await openOtlpReceiver();
  workspace = createWorkspace({
    POSTERN_TELEMETRY_TRACING_ENDPOINT: receiver.url,
    POSTERN_TELEMETRY_TRACING_HEADERS: '{ authorization: "Bearer t0ken" }',
    POSTERN_TELEMETRY_TRACING_EXPORT_INTERVAL_MS: "10",
  });
  const build = ["bundle", "build", "examples/envoy/policy", "-o", "bundles/envoy.tar.gz"];
  expect((await workspace.postern(...build)).stderr).toBe("");
  server = await workspace.serve();
  upstream = await openUpstream();
});
afterAll(async () => {
  upstream?.close();
  await server?.stop();
  receiver?.close();
  workspace?.remove();
});

const CHECK = "envoy.service.auth.v3.Authorization/Check";

/** What is exported of one request, whose headers name the trace. */
async function traced(setup: Partial<EnvoySetup>, headers: (traceId: string) => object) {
  const { port } = await startEnvoy({
    ...{ pdp: [server.address], upstreamPort: upstream.port, ...setup },
  });
  const traceId = (++traces).toString(16).padStart(32, "f");
  const sent = { "x-caller": "reader", ...headers(traceId) } as Record<string, string>;
  const { status } = await httpCall(port, { path: "/articles/1", headers: sent });
  // The policy reads no raw headers.
  expect(status).toBe(setup.encodeRawHeaders === true ? 403 : 200);
  const spans = () => receiver.spans.filter((span) => span.traceId === traceId);
  const checks = () => spans().filter(({ name }) => name === CHECK);
  await expect.poll(checks, { timeout: 10_000 }).toHaveLength(1);
  return { check: checks()[0]!, spans };
}
let traces = 0;

const spanId = "00f067aa0ba902b7";

describe("a check's span", () => {
  it("is below Envoy's own, where Envoy traces", async () => {
    const { port } = new URL(receiver.url);
    const { check, spans } = await traced({ collectorPort: Number(port) }, (traceId) => ({
      traceparent: `00-${traceId}-${spanId}-01`,
    }));
    expect(check).toMatchObject({
      serviceName: "postern",
      attributes: {
        "rpc.response.status_code": "OK",
        ...{ "postern.application": "envoy", "postern.allowed": true },
        "postern.reason": "policy:allow",
      },
    });
    const envoys = () => spans().filter(({ serviceName }) => serviceName === "envoy");
    await expect
      .poll(() => envoys().map((span) => span.spanId), { timeout: 10_000 })
      .toContain(check.parentSpanId);
  });

  it("is below the client's, where Envoy does not trace, by whichever headers", async () => {
    const w3c = await traced({}, (traceId) => ({ traceparent: `00-${traceId}-${spanId}-01` }));
    expect(w3c.check.parentSpanId).toBe(spanId);
    const b3 = await traced({}, (traceId) => ({ b3: `${traceId}-${spanId}-1` }));
    expect(b3.check.parentSpanId).toBe(spanId);
    const several = await traced({}, (traceId) => ({
      "X-B3-TraceId": traceId,
      "X-B3-SpanId": spanId,
      "X-B3-Sampled": "1",
    }));
    expect(several.check.parentSpanId).toBe(spanId);
    const raw = await traced({ encodeRawHeaders: true }, (traceId) => ({
      traceparent: `00-${traceId}-${spanId}-01`,
    }));
    expect(raw.check.parentSpanId).toBe(spanId);
  });
});

describe("the header that a collector asks for", () => {
  it("is sent, and told neither to the log nor by the configuration that is shown", async () => {
    await traced({}, (traceId) => ({ traceparent: `00-${traceId}-${spanId}-01` }));
    expect(receiver.headers.some(({ authorization }) => authorization === "Bearer t0ken")).toBe(
      true,
    );
    const { stdout } = await workspace.postern("config", "print");
    expect(stdout).toContain("headers: <redacted>");
    expect(stdout + JSON.stringify(server.log)).not.toContain("t0ken");
  });
});
