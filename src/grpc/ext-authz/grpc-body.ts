/** The first message of a gRPC call, read with a protoset. */
import {
  type DescMethod,
  type FileRegistry,
  fromBinary,
  type JsonValue as ProtobufJson,
  toJson,
} from "@bufbuild/protobuf";
import type { JsonValue } from "../../decision/json.ts";
import { JSON_DEPTH_MAX } from "../struct-reader.ts";
import { malformed } from "./malformed.ts";

/** What a frame begins with: whether it is compressed, and four bytes of length. */
const FRAME_HEADER_BYTES = 5;

/**
 * The message of a call to `[service, method]` as protobuf JSON; `"truncated"` where the body ends
 * before it does. `null` for a compressed one, for a method that the protoset has not, and for one
 * with a stream of requests. Throws `PdpError` `invalid-argument`, which shows nothing of the body.
 */
export function parseGrpcBody(
  body: Uint8Array,
  path: readonly string[],
  protoset: FileRegistry,
): JsonValue | "truncated" {
  const [service, method] = path;
  if (path.length !== 2 || service === undefined || method === undefined) {
    throw malformed("path", "is no gRPC method's; expected two segments");
  }
  if (body.length < FRAME_HEADER_BYTES) {
    throw malformed("body", `is no gRPC frame, which has at least ${FRAME_HEADER_BYTES} bytes`);
  }
  if (body[0] !== 0) return null;
  const frame = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const end = FRAME_HEADER_BYTES + frame.getUint32(1);
  if (end > body.length) return "truncated";
  const called = findMethod(protoset, service, method);
  return called === undefined
    ? null
    : readMessage(body.subarray(FRAME_HEADER_BYTES, end), called, protoset);
}

/** A method with one request. */
function findMethod(protoset: FileRegistry, service: string, name: string): DescMethod | undefined {
  const methods = protoset.getService(service)?.methods ?? [];
  return methods.find(
    (method) =>
      method.name === name &&
      (method.methodKind === "unary" || method.methodKind === "server_streaming"),
  );
}

function readMessage(bytes: Uint8Array, method: DescMethod, protoset: FileRegistry): JsonValue {
  let json: ProtobufJson;
  try {
    json = toJson(method.input, fromBinary(method.input, bytes), { registry: protoset });
  } catch {
    // Its text may show values of the message.
    throw malformed("body", `is no ${method.input.typeName} that can be written as JSON`);
  }
  return withoutPrototypes(json, 1);
}

function withoutPrototypes(value: ProtobufJson, depth: number): JsonValue {
  if (typeof value !== "object" || value === null) return value;
  if (depth > JSON_DEPTH_MAX) throw malformed("body", `is nested deeper than ${JSON_DEPTH_MAX}`);
  if (Array.isArray(value)) return value.map((item) => withoutPrototypes(item, depth + 1));
  const object: { [name: string]: JsonValue } = Object.create(null);
  for (const [name, member] of Object.entries(value)) {
    object[name] = withoutPrototypes(member, depth + 1);
  }
  return object;
}
