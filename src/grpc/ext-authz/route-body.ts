/**
 * The body of a request whose route takes facts from it. What a policy would merely not see must not
 * be read otherwise by the upstream here, since a fact that is missing can allow more: so there is one
 * way to read a body, and what can't be read so is refused.
 */
import { isUtf8 } from "node:buffer";
import type { FileRegistry } from "@bufbuild/protobuf";
import type { InputValue } from "../../pipeline/pipeline.ts";
import type { HttpCheck } from "./check-request.ts";
import { parseGrpcBody } from "./grpc-body.ts";
import { parseJsonText } from "./json-text.ts";
import { malformed, refuseLarge } from "./malformed.ts";
import { parseMediaType } from "./media-type.ts";
import type { NameKind } from "./member-of.ts";
import { BODY_BYTES_MAX, GRPC_BODY_BYTES_MAX } from "./parsed-body.ts";
import type { ParsedPath } from "./parsed-path.ts";
import { readMultipartForm, readUrlEncodedForm } from "./route-form.ts";
import { byteString, type QueryValues } from "./url-encoding.ts";

/** A body that a route takes from. */
export interface RouteBody {
  /** A text in it, or a number that is a safe integer, is one to all readers. */
  readonly value: InputValue;
  /** How the names in it are compared. */
  readonly names: NameKind;
  /** The request's, which many upstreams read together with the body. */
  readonly query: QueryValues;
  /** Envoy has written "!" for each byte that is not UTF-8, as it does unless it packs bodies as bytes. */
  readonly isReplaced: boolean;
}

/**
 * Reads the whole body. Throws `PdpError` `invalid-argument` or `too-large` for a body that is missing,
 * cut off, encoded, malformed, or of a type that is not read, and for a malformed query.
 */
export type ReadRouteBody = (request: HttpCheck, path: ParsedPath) => RouteBody;

const EXPECTED =
  "expected application/json, application/x-www-form-urlencoded, multipart/form-data or application/grpc";

/** Makes a reader; bodies of gRPC calls are read with the protoset. */
export function createRouteBodyReader(protoset?: FileRegistry): ReadRouteBody {
  return (request, path) => {
    const { headers, body, rawBody } = request;
    const bytes = rawBody === "" ? Buffer.from(body) : Buffer.from(rawBody, "base64");
    checkWhole(headers, bytes.length);
    const { type, boundary } = contentType(headers["content-type"] ?? "");
    const more = { query: path.parsedQuery, isReplaced: rawBody === "" };
    switch (type) {
      case "application/json":
        return { value: parseJsonText(textOf(bytes), "alike"), names: "json", ...more };
      case "application/x-www-form-urlencoded":
        return { value: readUrlEncodedForm(textOf(bytes)), names: "form", ...more };
      case "multipart/form-data": {
        const value = readMultipartForm(byteString(bytes), boundary ?? "");
        return { value, names: "form", ...more };
      }
      case "application/grpc":
      case "application/grpc+proto":
        return { value: grpcBody(bytes, path, protoset), names: "json", ...more };
      default:
        throw malformed("headers", `"content-type" is not one that is read; ${EXPECTED}`);
    }
  };
}

function checkWhole(headers: HttpCheck["headers"], length: number): void {
  const isPart = headers["x-envoy-auth-partial-body"] === "true";
  const announced = headers["content-length"] ?? String(length);
  if (isPart || announced !== String(length)) {
    throw malformed("body", "is not whole, and the route takes from it");
  }
  if (length === 0) throw malformed("body", "is missing, and the route takes from it");
  refuseLarge(length, BODY_BYTES_MAX);
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") throw malformed("headers", '"content-encoding" is not identity');
}

/** Upstreams take a type with other parameters for another type, or another charset. */
function contentType(text: string): { type: string; boundary: string | undefined } {
  const mediaType = parseMediaType(byteString(text));
  // What a backslash means in a boundary, readers don't agree on.
  if (mediaType === undefined || text.includes("\\"))
    throw malformed("headers", '"content-type" is malformed');
  const { type, parameters } = mediaType;
  for (const [name, value] of parameters) {
    const isKnown =
      name === "charset"
        ? /^utf-?8$/i.test(value)
        : name === "boundary" && type === "multipart/form-data";
    if (!isKnown) throw malformed("headers", '"content-type" has a parameter that is not read');
  }
  return { type, boundary: parameters.get("boundary") };
}

function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw malformed("body", "is not well-formed UTF-8");
  return bytes.toString();
}

function grpcBody(
  bytes: Buffer,
  { parsedPath }: ParsedPath,
  protoset: FileRegistry | undefined,
): InputValue {
  refuseLarge(bytes.length, GRPC_BODY_BYTES_MAX);
  const read = protoset && parseGrpcBody(bytes, parsedPath, protoset);
  if (read === undefined || read === null || read === "truncated") {
    throw malformed("body", "is no message that can be read, and the route takes from it");
  }
  return read;
}
