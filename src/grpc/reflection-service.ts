import { once } from "node:events";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type { DescriptorIndex } from "./descriptor-index.ts";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "./gen/grpc/reflection/v1/reflection_pb.js";

type Answer = NonNullable<
  MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]
>;

/**
 * `ServerReflectionInfo` of `grpc.reflection.v1` and of `v1alpha`, whose messages are the same on
 * the wire.
 */
export function createReflectionHandler(
  index: DescriptorIndex,
): (call: ServerDuplexStream<Uint8Array, Uint8Array>) => void {
  return (call) => {
    serve(call, index).catch(() => {
      // The stream broke, or the request did not decode; the call can't go on either way.
      call.emit("error", {
        code: status.INVALID_ARGUMENT,
        details: "message: is not a ServerReflectionRequest",
      });
    });
  };
}

async function serve(
  call: ServerDuplexStream<Uint8Array, Uint8Array>,
  index: DescriptorIndex,
): Promise<void> {
  // A stream that is destroyed sends no status, and its client would wait for ever.
  for await (const bytes of call.iterator({ destroyOnReturn: false })) {
    const originalRequest = fromBinary(ServerReflectionRequestSchema, bytes);
    const response = create(ServerReflectionResponseSchema, {
      validHost: originalRequest.host,
      originalRequest,
      messageResponse: answerTo(originalRequest, index),
    });
    const isTaken = call.write(toBinary(ServerReflectionResponseSchema, response));
    // A client that asks without reading waits; answers never pile up.
    if (!isTaken) await once(call, "drain");
  }
  call.end();
}

function answerTo(request: ServerReflectionRequest, index: DescriptorIndex): Answer {
  const { messageRequest } = request;
  switch (messageRequest.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: index.services.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return files(index.byFileName(messageRequest.value), "no such file");
    case "fileContainingSymbol":
      return files(index.bySymbol(messageRequest.value), "no such symbol");
    case "allExtensionNumbersOfType":
      // proto3 messages can't be extended, so that every list is empty.
      return index.isMessage(messageRequest.value)
        ? {
            case: "allExtensionNumbersResponse",
            value: { baseTypeName: messageRequest.value, extensionNumber: [] },
          }
        : notFound("no such message");
    case "fileContainingExtension":
      return notFound("no such extension");
    default:
      return {
        case: "errorResponse",
        value: { errorCode: status.INVALID_ARGUMENT, errorMessage: "nothing is asked for" },
      };
  }
}

function files(found: readonly Uint8Array[] | undefined, missing: string): Answer {
  if (found === undefined) return notFound(missing);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: [...found] } };
}

function notFound(errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode: status.NOT_FOUND, errorMessage } };
}
