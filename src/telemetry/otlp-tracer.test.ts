import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { notingMeter } from "../../test/support/noting-meter.ts";
import { type OtlpReceiver, openOtlpReceiver } from "../../test/support/otlp-receiver.ts";
import { systemClock } from "../base/clock.ts";
import { type LogFields, silentLogger } from "../base/logger.ts";
import type { TraceContext } from "../base/trace-context.ts";
import type { EndedCall } from "../base/tracer.ts";
import { createOtlpTracer, type OtlpTracer } from "./otlp-tracer.ts";
import type { TracingOptions } from "./tracing-options.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const sampled: TraceContext = { traceId, spanId, isSampled: true, state: "" };

const checked: EndedCall = {
  ...{ method: "postern.v1.DecisionService/Check", status: "OK", tookMs: 12.5 },
  context: sampled,
  decision: {
    decisionId: "019b8d3a-6c00-7abc-8def-0123456789ab",
    ...{ application: "platform", allowed: false, reason: "missing:agent:execute" },
  },
  batch: undefined,
  failure: undefined,
};

let receiver: OtlpReceiver;
const tracers: OtlpTracer[] = [];

beforeEach(async () => {
  receiver = await openOtlpReceiver();
});
afterEach(async () => {
  await Promise.all(tracers.splice(0).map((tracer) => tracer.close()));
  receiver.close();
});

function start(given: Partial<TracingOptions> = {}) {
  const { meter, notes } = notingMeter();
  const lines: (LogFields & { message: string })[] = [];
  const line = (fields: LogFields, message: string) => void lines.push({ ...fields, message });
  const tracer = createOtlpTracer({
    ...{ clock: systemClock, meter, logger: { ...silentLogger, info: line, warn: line } },
    options: {
      ...{ endpoint: receiver.url, headers: {}, serviceName: "postern", rootRatio: 0 },
      ...{ queueSpansMax: 100, exportIntervalMs: 10, exportTimeoutMs: 500, ...given },
    },
  });
  tracers.push(tracer);
  return { tracer, notes, lines };
}

/** The spans that come of these calls. */
async function spansOf(calls: readonly EndedCall[], given: Partial<TracingOptions> = {}) {
  const { tracer } = start(given);
  for (const call of calls) tracer.ended(call);
  await tracer.close();
  return receiver.spans;
}

describe("createOtlpTracer()", () => {
  it("makes of a call a server's span, below the caller's, with what was decided", async () => {
    const context = { ...sampled, state: "congo=t61rcWkgMzE" };
    const beforeNs = BigInt(systemClock.wallMs()) * 1_000_000n;
    const [span, ...others] = await spansOf([{ ...checked, context }], { serviceName: "mine" });
    expect(others).toEqual([]);
    expect(span).toMatchObject({
      ...{ traceId, parentSpanId: spanId, traceState: "congo=t61rcWkgMzE", kind: 2 },
      ...{ name: "postern.v1.DecisionService/Check", serviceName: "mine", statusCode: 0 },
      spanId: expect.stringMatching(/^(?!0{16})[0-9a-f]{16}$/),
      attributes: {
        "rpc.system.name": "grpc",
        "rpc.method": "postern.v1.DecisionService/Check",
        "rpc.response.status_code": "OK",
        "postern.application": "platform",
        "postern.allowed": false,
        "postern.reason": "missing:agent:execute",
        "postern.decision_id": "019b8d3a-6c00-7abc-8def-0123456789ab",
      },
    });
    // To the microsecond: milliseconds since 1970 leave a double no more.
    expect(Math.round(Number(span!.endNs - span!.startNs) / 1_000)).toBe(12_500);
    expect(span!.endNs >= beforeNs).toBe(true);
  });

  it("tells of a failure by its kind, and whose fault it is by the status", async () => {
    const failed = (failure: string, status: string) => ({ ...checked, failure, status });
    const spans = await spansOf([
      failed("unavailable", "UNAVAILABLE"),
      // Told in band.
      failed("deadline-exceeded", "OK"),
      failed("invalid-argument", "INVALID_ARGUMENT"),
    ]);
    expect(spans.map(({ attributes }) => attributes["error.type"])).toEqual([
      ...["unavailable", "deadline-exceeded", "invalid-argument"],
    ]);
    expect(spans.map(({ statusCode }) => statusCode)).toEqual([2, 2, 0]);
    expect(spans[0]!.attributes).not.toHaveProperty("postern.allowed");
  });

  it("tells of a batch how many of each, and cuts long reasons", async () => {
    const batch = { allowed: 3, denied: 2, failed: 1 };
    const decision = { ...checked.decision!, reason: `deny:${"x".repeat(1_000)}` };
    const spans = await spansOf([
      { ...checked, decision: undefined, batch },
      { ...checked, decision },
    ]);
    expect(spans[0]!.attributes).toMatchObject({
      ...{ "postern.batch.allowed": 3, "postern.batch.denied": 2, "postern.batch.failed": 1 },
    });
    expect(spans[0]!.attributes).not.toHaveProperty("postern.allowed");
    expect(spans[1]!.attributes["postern.reason"]).toHaveLength(256);
  });

  it("records what callers record, and of the rest by the ratio", async () => {
    const unsampled = { ...checked, context: { ...sampled, isSampled: false } };
    const root = { ...checked, context: undefined };
    const open = { ...checked, context: { ...sampled, isSampled: undefined } };
    expect(await spansOf([unsampled, root, open])).toHaveLength(0);
    expect(await spansOf([unsampled, root, open], { rootRatio: 1 })).toMatchObject([
      { traceId: expect.stringMatching(/^(?!4bf92f)[0-9a-f]{32}$/), parentSpanId: "" },
      { traceId, parentSpanId: spanId },
    ]);
  });

  it("samples roots by their share", async () => {
    const roots = Array.from({ length: 90 }, () => ({ ...checked, context: undefined }));
    const { length } = await spansOf(roots, { rootRatio: 0.5 });
    // Outside of it once in millions of runs.
    expect(length).toBeGreaterThan(20);
    expect(length).toBeLessThan(70);
  });

  it("drops a trace state that is malformed, and not the span", async () => {
    const spans = await spansOf([{ ...checked, context: { ...sampled, state: "=,," } }]);
    expect(spans).toMatchObject([{ traceId, traceState: "" }]);
  });

  it("posts protobuf with the headers that are configured", async () => {
    await spansOf([checked], { headers: { authorization: "Bearer t0ken" } });
    expect(receiver.headers).toMatchObject([
      { authorization: "Bearer t0ken", "content-type": "application/x-protobuf" },
    ]);
  });
});

describe("a collector that does not take spans", () => {
  const counted = (notes: readonly string[]) => {
    const sums: Record<string, number> = {};
    for (const note of notes) {
      const [name, outcome, count] = note.split(" ");
      if (name === "postern_spans_total") sums[outcome!] = (sums[outcome!] ?? 0) + Number(count);
    }
    return sums;
  };

  it("costs spans, which are counted, and is told of once, without the headers", async () => {
    const refuse = (response: ServerResponse) => response.writeHead(400).end("t0ken");
    receiver.answer = refuse;
    const { tracer, notes, lines } = start({ headers: { authorization: "Bearer t0ken" } });
    for (const failed of [1, 2]) {
      tracer.ended(checked);
      await expect.poll(() => counted(notes)).toEqual({ failed });
    }
    expect(lines).toEqual([
      {
        why: "Bad Request",
        message: "Spans can't be exported. They are dropped; decisions go on.",
      },
    ]);
    receiver.answer = (response) => response.writeHead(200).end();
    tracer.ended(checked);
    await expect.poll(() => counted(notes)).toEqual({ failed: 2, exported: 1 });
    expect(lines[1]).toMatchObject({ message: "Spans are exported again." });
    expect(JSON.stringify(lines)).not.toContain("t0ken");
  });

  it("has a queue before it that is bounded", async () => {
    // It never answers.
    receiver.answer = () => {};
    const { tracer, notes } = start({ queueSpansMax: 3, exportIntervalMs: 60_000 });
    // As many as go at once are on their way, three wait, and two find no room.
    for (let call = 0; call < 8; call += 1) tracer.ended(checked);
    await expect.poll(() => receiver.spans.length).toBe(3);
    expect(counted(notes)).toEqual({ dropped: 2 });
  });

  it("holds up the end for no longer than one post", async () => {
    receiver.answer = () => {};
    const { tracer, lines } = start({ exportTimeoutMs: 50 });
    tracer.ended(checked);
    await tracer.close();
    expect(lines.at(-1)).toMatchObject({ message: "The last spans could not be exported." });
  });

  it("holds up the end for no longer where its answer never ends", async () => {
    let trickle: NodeJS.Timeout | undefined;
    receiver.answer = (response) => {
      trickle = setInterval(() => response.write("."), 5);
    };
    const { tracer, lines } = start({ exportTimeoutMs: 50 });
    tracer.ended(checked);
    // It is on its way, so that the queue has nothing left to wait for.
    await expect.poll(() => receiver.spans.length).toBe(1);
    await tracer.close();
    clearInterval(trickle);
    expect(lines.at(-1)).toMatchObject({ why: "the collector did not answer in 50 ms" });
  });

  it("may be where nobody listens", async () => {
    receiver.close();
    const { tracer, notes, lines } = start({ exportTimeoutMs: 50 });
    tracer.ended(checked);
    await expect.poll(() => counted(notes)).toEqual({ failed: 1 });
    expect(lines[0]!["why"]).toContain("ECONNREFUSED");
  });
});
