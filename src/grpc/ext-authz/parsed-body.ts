/**
 * The body of a request as policies see it: what OPA's Envoy plugin makes of it, by the same rules.
 * So the content type is matched as it is written, also in the middle: `Application/JSON` is not
 * read, and `text/plain; was=application/json` is. Not for whether the policy should see it.
 */
import type { FileRegistry } from "@bufbuild/protobuf";
import { quoted } from "../../base/quoted.ts";
import { KiB } from "../../base/sizes.ts";
import type { InputValue } from "../../pipeline/pipeline.ts";
import { parseGrpcBody } from "./grpc-body.ts";
import { parseJsonText } from "./json-text.ts";
import { malformed, refuseLarge } from "./malformed.ts";
import { parameterOf, parseMediaType } from "./media-type.ts";
import { parseMultipartForm } from "./multipart-form.ts";
import type { ParsedPath } from "./parsed-path.ts";
import { byteString, parseQuery } from "./url-encoding.ts";

/** A request whose body is read. */
export interface BodySource {
  /** By lower-case name. */
  readonly headers: { readonly [name: string]: string };
  /** Empty where Envoy packs bodies as bytes. */
  readonly body: string;
  /** Looked at where `body` is empty. */
  readonly rawBody: Uint8Array;
  /** Names the method of a gRPC call. */
  readonly path: Pick<ParsedPath, "parsedPath">;
  /** What gRPC bodies are read with. */
  readonly protoset: FileRegistry | undefined;
}

/** What a body says. */
export interface ParsedBody {
  /**
   * The value of JSON text; an object of arrays for a form; protobuf JSON for a gRPC call. `null` where
   * there is no body, or one of another type, or not the whole.
   */
  readonly parsedBody: InputValue;
  /** Envoy has forwarded less of the body than there is. */
  readonly isTruncated: boolean;
}

const nothing: ParsedBody = Object.freeze({ parsedBody: null, isTruncated: false });
const truncated: ParsedBody = Object.freeze({ parsedBody: null, isTruncated: true });

/**
 * Reads the body by the request's headers. Throws `PdpError` `invalid-argument` that names the field,
 * where the body is not what the content type says, where content-length is no integer, and where a
 * gRPC call's path has not two segments. Unlike the plugin, it refuses what follows JSON text
 * (`{} null`), numbers of more than 1,000 digits or beyond the range of a double, and nesting beyond 64;
 * and what is not UTF-8 becomes U+FFFD. Throws `too-large` for more than 256 KiB, of a gRPC call 64 KiB.
 */
export function parseBody(source: BodySource): ParsedBody {
  const { headers } = source;
  if (headers["x-envoy-auth-partial-body"] === "true") return truncated;
  if (source.body === "" && source.rawBody.length === 0) return nothing;
  const contentType = headers["content-type"] ?? "";
  for (const [part, read, bytesMax] of READERS) {
    if (!contentType.includes(part)) continue;
    // Before it is parsed: else a client could keep Envoy from an answer in time.
    refuseLarge(Math.max(source.rawBody.length, Buffer.byteLength(source.body)), bytesMax);
    return read(source);
  }
  return nothing;
}

/** An input has no room for more than that. */
export const BODY_BYTES_MAX = 256 * KiB;
/** Messages within messages, of two bytes each, take a thousand times as long as other bytes. */
export const GRPC_BODY_BYTES_MAX = 64 * KiB;

type Read = (source: BodySource) => ParsedBody;

/** By what the content type contains; the first counts. */
const READERS: readonly (readonly [part: string, read: Read, bytesMax: number])[] = [
  ["application/json", ofWhole((payload) => parseJsonText(payload.toString())), BODY_BYTES_MAX],
  ["application/grpc", readGrpc, GRPC_BODY_BYTES_MAX],
  [
    "application/x-www-form-urlencoded",
    ofWhole((form) => parseQuery(form.toString(), "body")),
    BODY_BYTES_MAX,
  ],
  ["multipart/form-data", ofWhole(parseMultipart), BODY_BYTES_MAX],
];

/** Reads a body, if there is one and all of it is there. */
function ofWhole(parse: (payload: string | Buffer, source: BodySource) => InputValue): Read {
  return (source) => {
    const { headers, body, rawBody } = source;
    const payload = body === "" ? bufferOf(rawBody) : body;
    const bytes = Buffer.byteLength(payload);
    if (bytes === 0) return nothing;
    const announced = headers["content-length"];
    if (announced !== undefined && isMore(announced, bytes)) return truncated;
    return { parsedBody: parse(payload, source), isTruncated: false };
  };
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

const INT64_MAX = 2n ** 63n - 1n;

function isMore(announced: string, bytes: number): boolean {
  // Nineteen digits, zeros aside, hold every int64; what is longer is not even looked at.
  const length = /^[+-]?0*\d{1,19}$/.test(announced) ? BigInt(announced) : undefined;
  if (length === undefined || length > INT64_MAX || length < -INT64_MAX - 1n) {
    throw malformed("headers", `"content-length" is ${quoted(announced, 24)}; expected an integer`);
  }
  return length > BigInt(bytes);
}

function parseMultipart(payload: string | Buffer, { headers }: BodySource): InputValue {
  const mediaType = parseMediaType(byteString(headers["content-type"] ?? ""));
  if (mediaType === undefined) throw malformed("headers", '"content-type" is malformed');
  const boundary = parameterOf(mediaType, "boundary", "headers");
  return boundary === undefined ? null : parseMultipartForm(byteString(payload), boundary);
}

function readGrpc({ rawBody, path, protoset }: BodySource): ParsedBody {
  if (protoset === undefined || rawBody.length === 0) return nothing;
  const parsedBody = parseGrpcBody(rawBody, path.parsedPath, protoset);
  return parsedBody === "truncated" ? truncated : { parsedBody, isTruncated: false };
}
