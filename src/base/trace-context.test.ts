import { describe, expect, it } from "vitest";
import { readTraceContext, type TraceHeaders, traceHeadersOf } from "./trace-context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const traceparent = `00-${traceId}-${spanId}-01`;

const read = (headers: TraceHeaders) => readTraceContext(headers);

describe("traceparent", () => {
  it("names the trace, the caller's span, and whether it is sampled", () => {
    const context = { traceId, spanId, isSampled: true, state: "" };
    expect(read({ traceparent })).toEqual(context);
    const unsampled = `00-${traceId}-${spanId}-00`;
    expect(read({ traceparent: unsampled })).toEqual({ ...context, isSampled: false });
    // The other flags are not ours to read.
    expect(read({ traceparent: `00-${traceId}-${spanId}-fe` })?.isSampled).toBe(false);
  });

  it("is read of later versions as far as it is known", () => {
    for (const version of ["01", "cc", "fe"]) {
      const later = `${version}-${traceId}-${spanId}-01`;
      expect(read({ traceparent: later })).toMatchObject({ traceId, spanId });
      expect(read({ traceparent: `${later}-what-comes` })).toMatchObject({ traceId, spanId });
      expect(read({ traceparent: `${later}.what-comes` })).toBeUndefined();
    }
  });

  it.each<[string, string | readonly string[]]>([
    ["nothing", ""],
    ["version ff", `ff-${traceId}-${spanId}-01`],
    ["more than version 00 has", `${traceparent}-01`],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
    ["a span id of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
    ["upper case", traceparent.toUpperCase()],
    ["a short trace id", `00-${traceId.slice(1)}-${spanId}-01`],
    ["a long span id", `00-${traceId}-${spanId}0-01`],
    ["no flags", `00-${traceId}-${spanId}`],
    ["half of the flags", `00-${traceId}-${spanId}-1`],
    ["what is no hexadecimal digit", traceparent.replace("4", "g")],
    ["spaces", ` ${traceparent}`],
    ["a line's end", `${traceparent}\n`],
    ["a header sent twice", `${traceparent}, ${traceparent}`],
    ["a list", [traceparent, traceparent]],
    ["a very long text", `01-${traceId}-${spanId}-01-${"a".repeat(10_000)}`],
  ])("says nothing where it is malformed: %s", (_, malformed) => {
    expect(read({ traceparent: malformed })).toBeUndefined();
  });

  it("brings its state along, which is dropped alone where it is too long", () => {
    const tracestate = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";
    expect(read({ traceparent, tracestate })?.state).toBe(tracestate);
    const long = `a=${"b".repeat(511)}`;
    expect(read({ traceparent, tracestate: long })).toMatchObject({ traceId, state: "" });
    expect(read({ tracestate })).toBeUndefined();
  });
});

describe("b3", () => {
  it.each<[string, boolean | undefined]>([
    ["-1", true],
    ["-d", true],
    ["-0", false],
    ["", undefined],
    ["-1-05e3ac9a4f6e3b90", true],
  ])("names the trace, and what is to become of it: %j", (rest, isSampled) => {
    const context = { traceId, spanId, isSampled, state: "" };
    expect(read({ b3: `${traceId}-${spanId}${rest}` })).toEqual(context);
  });

  it("may have half a trace id", () => {
    const id = traceId.slice(16);
    expect(read({ b3: `${id}-${spanId}-1` })?.traceId).toBe(`0000000000000000${id}`);
    const several = { "x-b3-traceid": id, "x-b3-spanid": spanId };
    expect(read(several)?.traceId).toBe(`0000000000000000${id}`);
  });

  it.each([
    ...["", "0", "1", "d", traceId, `${traceId}-${spanId}-2`, `${traceId}-${spanId}-true`],
    ...[`${"0".repeat(32)}-${spanId}-1`, `${"0".repeat(16)}-${spanId}-1`],
    ...[`${traceId}-${"0".repeat(16)}-1`, `${traceId.toUpperCase()}-${spanId}-1`],
    ...[`${traceId.slice(4)}-${spanId}-1`, `${traceId}-${spanId}-1-1`, `${traceId}-${spanId}-`],
    `${traceId}-${spanId}-__proto__`,
  ])("says nothing where it has no ids, or is malformed: %j", (b3) => {
    expect(read({ b3 })).toBeUndefined();
  });

  it.each<[TraceHeaders, boolean | undefined]>([
    [{}, undefined],
    [{ "x-b3-sampled": "1" }, true],
    [{ "x-b3-sampled": "0" }, false],
    [{ "x-b3-sampled": "true" }, true],
    [{ "x-b3-sampled": "false" }, false],
    [{ "x-b3-sampled": "perhaps" }, undefined],
    [{ "x-b3-flags": "1" }, true],
    [{ "x-b3-flags": "1", "x-b3-sampled": "0" }, true],
    [{ "x-b3-flags": "0" }, undefined],
  ])("may come in several headers: %j", (headers, isSampled) => {
    const ids = { "x-b3-traceid": traceId, "x-b3-spanid": spanId };
    expect(read({ ...ids, ...headers })).toEqual({ traceId, spanId, isSampled, state: "" });
  });

  it("needs both ids where it comes in several headers", () => {
    expect(read({ "x-b3-traceid": traceId, "x-b3-sampled": "1" })).toBeUndefined();
    expect(read({ "x-b3-spanid": spanId, "x-b3-sampled": "1" })).toBeUndefined();
    expect(read({ "x-b3-traceid": traceId, "x-b3-spanid": "0".repeat(16) })).toBeUndefined();
    expect(read({ "x-b3-traceid": "0".repeat(32), "x-b3-spanid": spanId })).toBeUndefined();
  });
});

describe("traceHeadersOf()", () => {
  it("keeps headers that may name a trace, and no others", () => {
    for (const name of ["traceparent", "b3", "x-b3-traceid"]) {
      const headers = { [name]: "", more: "a" };
      expect(traceHeadersOf(headers)).toBe(headers);
    }
    expect(traceHeadersOf({ more: "a", "x-b3-spanid": spanId, tracestate: "a=b" })).toEqual({});
  });
});

describe("readTraceContext()", () => {
  it("prefers W3C, then one header, to several; the first that is well-formed", () => {
    const w3c = { traceparent: `00-${"1".repeat(32)}-${spanId}-01` };
    const single = { b3: `${"2".repeat(32)}-${spanId}-1` };
    const several = { "x-b3-traceid": "3".repeat(32), "x-b3-spanid": spanId };
    expect(read({ ...several, ...single, ...w3c })?.traceId).toBe("1".repeat(32));
    expect(read({ ...several, ...single, traceparent: "x" })?.traceId).toBe("2".repeat(32));
    expect(read({ ...several, b3: "0" })?.traceId).toBe("3".repeat(32));
    expect(read({})).toBeUndefined();
  });
});
