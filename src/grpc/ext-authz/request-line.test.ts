import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { readTraceContext } from "../../base/trace-context.ts";
import { CheckRequestSchema } from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { traceHeadersOf } from "./request-line.ts";

/** The trace headers of a request with these. */
function of(http: object): object {
  const init = { attributes: { request: { http } } } as MessageInitShape<typeof CheckRequestSchema>;
  return { ...traceHeadersOf(toBinary(CheckRequestSchema, create(CheckRequestSchema, init))) };
}

/** As Envoy sends them with `encode_raw_headers`. */
function raw(...headers: readonly (readonly [key: string, text: string])[]): object {
  const inBytes = headers.map(([key, text]) => ({ key, rawValue: Buffer.from(text) }));
  return of({ headerMap: { headers: inBytes } });
}

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const traceparent = `00-${traceId}-${spanId}-01`;

describe("traceHeadersOf()", () => {
  it("gives what names a trace, and no other header", () => {
    expect(of({ headers: { traceparent, "x-b3-flags": "1", cookie: "a" } })).toEqual({
      traceparent,
      "x-b3-flags": "1",
    });
  });

  it("gives the same of raw headers", () => {
    expect(raw(["traceparent", traceparent], ["cookie", "a"], ["x-b3-flags", "1"])).toEqual({
      traceparent,
      "x-b3-flags": "1",
    });
    const headers = [{ key: "b3", value: "0" }, { key: "tracestate" }, { value: "a" }];
    expect(of({ headerMap: { headers } })).toEqual({ b3: "0", tracestate: "" });
    expect(readTraceContext({ ...raw(["b3", `${traceId}-${spanId}`]) })).toMatchObject({ traceId });
  });

  it("joins a raw header that is there twice, so that it names no trace, but has all of a state", () => {
    const twice = raw(
      ...[["traceparent", traceparent] as const, ["traceparent", traceparent] as const],
      ...[["tracestate", "a=b"] as const, ["tracestate", "c=d"] as const],
    );
    expect(twice).toEqual({ traceparent: `${traceparent},${traceparent}`, tracestate: "a=b,c=d" });
    expect(readTraceContext({ ...twice })).toBeUndefined();
  });

  it("gives nothing of a request without headers, or a malformed one", () => {
    expect([of({}), of({ headerMap: {} })]).toEqual([{}, {}]);
    expect(traceHeadersOf(Uint8Array.of(0xff))).toEqual({});
  });
});
