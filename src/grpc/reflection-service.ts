import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { PdpError } from "../decision/error.ts";
import type { DescriptorIndex } from "./descriptor-index.ts";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "./gen/grpc/reflection/v1/reflection_pb.js";
import { GrpcCode } from "./status.ts";
import type { StreamingCall } from "./streaming-call.ts";

type Answer = NonNullable<
  MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]
>;

/**
 * `ServerReflectionInfo` of `grpc.reflection.v1` and of `v1alpha`, whose messages are the same on
 * the wire.
 */
export function createReflectionHandler(
  index: DescriptorIndex,
): (call: StreamingCall) => Promise<void> {
  return async (call) => {
    for await (const bytes of call.messages()) {
      const originalRequest = decode(bytes);
      const response = create(ServerReflectionResponseSchema, {
        validHost: originalRequest.host,
        originalRequest,
        messageResponse: answerTo(originalRequest, index),
      });
      // A client that asks without reading waits; answers never pile up.
      await call.write(toBinary(ServerReflectionResponseSchema, response));
    }
    call.end();
  };
}

function decode(bytes: Uint8Array): ServerReflectionRequest {
  try {
    return fromBinary(ServerReflectionRequestSchema, bytes);
  } catch (error) {
    const message = "message: is not a ServerReflectionRequest";
    throw new PdpError("invalid-argument", message, { cause: error });
  }
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
        value: { errorCode: GrpcCode.INVALID_ARGUMENT, errorMessage: "nothing is asked for" },
      };
  }
}

function files(found: readonly Uint8Array[] | undefined, missing: string): Answer {
  if (found === undefined) return notFound(missing);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: [...found] } };
}

function notFound(errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode: GrpcCode.NOT_FOUND, errorMessage } };
}
