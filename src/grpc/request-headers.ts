import type { IncomingHttpHeaders } from "node:http2";
import { type Decompress, decompressors } from "./decompress.ts";
import { GrpcCode, type GrpcFailure } from "./status.ts";

/** What the headers of a call say about how to take it. */
export interface CallHeaders {
  /** Milliseconds that the caller waits; `Infinity` if it does not say. */
  readonly timeoutMs: number;
  /** `undefined` = messages come as they are. */
  readonly decompress: Decompress | undefined;
}

const UNIT_MS = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const CONTENT_TYPE = "application/grpc";

/**
 * The HTTP status for what is no gRPC call at all, which gRPC's statuses are not meant for;
 * `undefined` for a call.
 */
export function httpRefusal(headers: IncomingHttpHeaders): 405 | 415 | undefined {
  if (headers[":method"] !== "POST") return 405;
  const type = headers["content-type"];
  if (type === CONTENT_TYPE) return undefined;
  const next = type?.startsWith(CONTENT_TYPE) ? type[CONTENT_TYPE.length] : undefined;
  return next === "+" || next === ";" ? undefined : 415;
}

/** Reads `grpc-timeout` and `grpc-encoding`; gives a failure for what they may not say. */
export function readCallHeaders(headers: IncomingHttpHeaders): CallHeaders | GrpcFailure {
  const timeoutMs = parseTimeout(headers["grpc-timeout"]);
  if (timeoutMs === undefined) {
    const message = "grpc-timeout: is malformed; expected 1 to 8 digits and one of H M S m u n";
    return { code: GrpcCode.INTERNAL, message };
  }
  const encoding = headers["grpc-encoding"] ?? "identity";
  if (encoding === "identity") return { timeoutMs, decompress: undefined };
  const decompress = typeof encoding === "string" ? decompressors.get(encoding) : undefined;
  if (decompress !== undefined) return { timeoutMs, decompress };
  const message = `grpc-encoding: is not supported; expected ${acceptedEncodings}`;
  return { code: GrpcCode.UNIMPLEMENTED, message };
}

/** For `grpc-accept-encoding`. */
export const acceptedEncodings = ["identity", ...decompressors.keys()].join(",");

function parseTimeout(text: string | readonly string[] | undefined): number | undefined {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const match = typeof text === "string" ? TIMEOUT.exec(text) : null;
  if (match === null) return undefined;
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}
