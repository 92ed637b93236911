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
const TRACE_PARTS = partsAt([
  ...TRACE_HEADERS.map((name) => `request.http.headers.${name}`),
  "request.http.headerMap",
]);
const nothing: TraceHeaders = Object.freeze({});

/** The headers that may name the trace which the request is part of; none of a malformed one. */
export function traceHeadersOf(bytes: Uint8Array): TraceHeaders {
  try {
    const { headers, hasRawHeaders, attributes } = readHttpCheck(bytes, TRACE_PARTS);
    return hasRawHeaders ? rawTraceHeaders(attributes as RawHeaders) : headers;
  } catch {
    return nothing;
  }
}

/** Attributes of a request with raw headers. */
interface RawHeaders {
  readonly request?: {
    readonly http?: { readonly headerMap?: { readonly headers?: readonly RawHeader[] } };
  };
}

interface RawHeader {
  readonly key?: string;
  readonly value?: string;
  /** Base64. */
  readonly rawValue?: string;
}

/** One that is there more than once is joined, as Envoy joins those that are not raw. */
function rawTraceHeaders({ request }: RawHeaders): TraceHeaders {
  const found: { [name: string]: string } = Object.create(null);
  for (const { key = "", value = "", rawValue } of request?.http?.headerMap?.headers ?? []) {
    if (!TRACE_HEADERS.includes(key)) continue;
    const text = rawValue === undefined ? value : Buffer.from(rawValue, "base64").toString();
    found[key] = found[key] === undefined ? text : `${found[key]},${text}`;
  }
  return found;
}
