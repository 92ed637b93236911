/**
 * The body of a request whose route takes facts from it. What a policy would merely not see must not
 * be read otherwise by the upstream here, since a fact that is missing can allow more: so there is one
 * way to read a body, and what can't be read so is refused.
 */
import { isUtf8 } from "node:buffer";
import type { FileRegistry } from "@bufbuild/protobuf";
import type { InputDocument, InputValue } from "../../pipeline/pipeline.ts";
import type { HttpCheck } from "./check-request.ts";
import { parseGrpcBody } from "./grpc-body.ts";
import { parseJsonText } from "./json-text.ts";
import { malformed, refuseLarge } from "./malformed.ts";
import { parseMediaType } from "./media-type.ts";
import { type FormValues, parseMultipartForm } from "./multipart-form.ts";
import { BODY_BYTES_MAX, GRPC_BODY_BYTES_MAX } from "./parsed-body.ts";
import type { ParsedPath } from "./parsed-path.ts";
import { byteString, parseQuery, type QueryValues } from "./url-encoding.ts";

/**
 * Reads the whole body. Throws `PdpError` `invalid-argument` or `too-large` for a body that is missing,
 * cut off, encoded, malformed, or of a type that is not read.
 */
export type ReadRouteBody = (request: HttpCheck, path: ParsedPath) => InputValue;

const EXPECTED =
  "expected application/json, application/x-www-form-urlencoded, multipart/form-data or application/grpc";

/** Makes a reader; bodies of gRPC calls are read with the protoset. */
export function createRouteBodyReader(protoset?: FileRegistry): ReadRouteBody {
  return ({ headers, body, rawBody }, path) => {
    const bytes = rawBody === "" ? Buffer.from(body) : Buffer.from(rawBody, "base64");
    checkWhole(headers, bytes.length);
    const { type, boundary } = contentType(headers["content-type"] ?? "");
    switch (type) {
      case "application/json":
        return parseJsonText(textOf(bytes), "names-once");
      case "application/x-www-form-urlencoded":
        return withoutLists(parseQuery(textOf(bytes), "body"));
      case "multipart/form-data":
        return withoutLists(parseMultipartForm(byteString(bytes), boundary ?? ""));
      case "application/grpc":
      case "application/grpc+proto":
        return grpcBody(bytes, path, protoset);
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
  if (mediaType === undefined) throw malformed("headers", '"content-type" is malformed');
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

/** A form's, where a name is given once; what a part says in JSON, others may read as it stands. */
function withoutLists(form: FormValues | QueryValues): InputDocument {
  const members: { [name: string]: InputValue } = Object.create(null);
  for (const [name, values] of Object.entries(form)) {
    const [value] = values;
    members[name] = values.length === 1 && typeof value === "string" ? value : values;
  }
  return members;
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
