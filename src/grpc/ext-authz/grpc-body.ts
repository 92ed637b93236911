/** The first message of a gRPC call, read with a protoset. */
import {
  createRegistry,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  type JsonValue as ProtobufJson,
  type Registry,
  toJson,
} from "@bufbuild/protobuf";
import type { JsonValue } from "../../decision/json.ts";
import { malformed } from "./malformed.ts";
import { plainProtobufJson } from "./protobuf-json.ts";
import { assertWire } from "./protobuf-wire.ts";

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
  const types = messagesOf(protoset);
  let json: ProtobufJson;
  try {
    assertWire(bytes, method.input, types);
    json = toJson(method.input, fromBinary(method.input, bytes), { registry: types });
  } catch {
    // Its text may show values of the message.
    throw malformed("body", `is no ${method.input.typeName} that can be written as JSON`);
  }
  return plainProtobufJson(json, method.input, types);
}

const messages = new WeakMap<FileRegistry, Registry>();

/** Without extensions, which are unknown fields to the plugin. */
function messagesOf(protoset: FileRegistry): Registry {
  let types = messages.get(protoset);
  if (types === undefined) {
    types = createRegistry(...[...protoset].filter((type) => type.kind === "message"));
    messages.set(protoset, types);
  }
  return types;
}
