import type { TraceHeaders } from "../../base/trace-context.ts";
import { partsAt } from "../../decision/document-parts.ts";
import { type HttpCheck, readHttpCheck } from "./check-request.ts";

const PATH_SHOWN_MAX = 256;
const PARTS = partsAt(["request.http.method"]);

/** Which request it was, without its query, where secrets may stand. Throws as `readHttpCheck`. */
export function requestLineOf(bytes: Uint8Array): { method: string; path: string } {
  return requestLine(readRouteLine(bytes));
}

/** What of a request tells its route: method and path. Throws as `readHttpCheck`. */
export function readRouteLine(bytes: Uint8Array): HttpCheck {
  return readHttpCheck(bytes, PARTS);
}

/** The same of a request whose method has been read. */
export function requestLine({ method, path }: HttpCheck): { method: string; path: string } {
  const end = path.search(/[?#]/);
  const shown = (end < 0 ? path : path.slice(0, end)).slice(0, PATH_SHOWN_MAX).toWellFormed();
  return { method, path: shown };
}

const TRACE_HEADERS = ["traceparent", "tracestate", "b3"].concat(
  ["traceid", "spanid", "sampled", "flags"].map((name) => `x-b3-${name}`),
);
const TRACE_PARTS = partsAt(TRACE_HEADERS.map((name) => `request.http.headers.${name}`));
const nothing: TraceHeaders = Object.freeze({});

/** The headers that may name the trace which the request is part of; none of a malformed one. */
export function traceHeadersOf(bytes: Uint8Array): TraceHeaders {
  try {
    return readHttpCheck(bytes, TRACE_PARTS).headers;
  } catch {
    return nothing;
  }
}
