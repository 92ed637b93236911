/** The trace that a call is part of, as its caller says. */
export interface TraceContext {
  /** 32 hexadecimal digits, lower case, not all zero. */
  readonly traceId: string;
  /** 16 such digits: the caller's span. */
  readonly spanId: string;
  /** Whether the trace is recorded; `undefined` = that is left to us. */
  readonly isSampled: boolean | undefined;
  /** `tracestate` as it came; empty without one. */
  readonly state: string;
}

/** Headers by lower-case name. They may inherit nothing. */
export type TraceHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** W3C Trace Context, 3.2: later versions may say more behind a further hyphen. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const TRACEPARENT_CHARS_MAX = 512;
const SAMPLED_FLAG = 1;

/** What a trace state may have at most, so that it is passed on whole or not at all. */
const STATE_CHARS_MAX = 512;

/** B3: `{trace id}-{span id}-{sampling state}-{parent's span id}`, the last two optional. */
const B3 = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/;
const B3_TRACE_ID = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/;
const B3_SPAN_ID = /^[0-9a-f]{16}$/;
const B3_SAMPLED: Readonly<Record<string, boolean>> = { 0: false, 1: true, d: true };

const nothing: TraceHeaders = Object.freeze(Object.create(null));

/**
 * The headers if they may name a trace, else none: most calls name none, and their headers are not
 * kept for as long as they last.
 */
export function traceHeadersOf(headers: TraceHeaders): TraceHeaders {
  const { traceparent, b3, "x-b3-traceid": traceId } = headers;
  return (traceparent ?? b3 ?? traceId) === undefined ? nothing : headers;
}

/**
 * Reads what headers say of a trace: W3C `traceparent`, else B3 in one header, else B3 in several.
 * What is malformed says nothing, and is no reason to fail. B3's bare sampling state, without
 * ids, says nothing either.
 */
export function readTraceContext(headers: TraceHeaders): TraceContext | undefined {
  return readTraceparent(headers) ?? readSingleB3(headers) ?? readMultipleB3(headers);
}

function readTraceparent(headers: TraceHeaders): TraceContext | undefined {
  const text = textOf(headers, "traceparent");
  if (text === undefined || text.length > TRACEPARENT_CHARS_MAX) return undefined;
  const match = TRACEPARENT.exec(text);
  if (match === null) return undefined;
  const [, version, traceId, spanId, flags, more] = match as unknown as string[];
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  const isSampled = (Number.parseInt(flags!, 16) & SAMPLED_FLAG) !== 0;
  const state = textOf(headers, "tracestate") ?? "";
  return contextOf(traceId!, spanId!, {
    isSampled,
    state: state.length > STATE_CHARS_MAX ? "" : state,
  });
}

function readSingleB3(headers: TraceHeaders): TraceContext | undefined {
  const match = B3.exec(textOf(headers, "b3") ?? "");
  if (match === null) return undefined;
  const [, traceId, spanId, sampling] = match as unknown as [string, string, string, string?];
  const isSampled = sampling === undefined ? undefined : B3_SAMPLED[sampling];
  return contextOf(traceId, spanId, { isSampled, state: "" });
}

function readMultipleB3(headers: TraceHeaders): TraceContext | undefined {
  const traceId = textOf(headers, "x-b3-traceid") ?? "";
  const spanId = textOf(headers, "x-b3-spanid") ?? "";
  if (!B3_TRACE_ID.test(traceId) || !B3_SPAN_ID.test(spanId)) return undefined;
  const sampling = textOf(headers, "x-b3-sampled");
  const isDebug = textOf(headers, "x-b3-flags") === "1";
  // Older senders say true and false, which the specification lets receivers take.
  if (isDebug || sampling === "1" || sampling === "true") {
    return contextOf(traceId, spanId, { isSampled: true, state: "" });
  }
  const isDenied = sampling === "0" || sampling === "false";
  return contextOf(traceId, spanId, { isSampled: isDenied ? false : undefined, state: "" });
}

function contextOf(
  traceId: string,
  spanId: string,
  rest: Pick<TraceContext, "isSampled" | "state">,
): TraceContext | undefined {
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId: traceId.padStart(32, "0"), spanId, ...rest };
}

function textOf(headers: TraceHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}
