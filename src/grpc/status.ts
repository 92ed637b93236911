import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import type { ErrorKind, PdpError } from "../decision/error.ts";
import { BadRequestSchema } from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";

/** What each kind of error is on the wire. */
export const statusCodes = {
  "invalid-argument": status.INVALID_ARGUMENT,
  "not-found": status.NOT_FOUND,
  "permission-denied": status.PERMISSION_DENIED,
  "resource-exhausted": status.RESOURCE_EXHAUSTED,
  "deadline-exceeded": status.DEADLINE_EXCEEDED,
  unavailable: status.UNAVAILABLE,
  internal: status.INTERNAL,
} as const satisfies Record<ErrorKind, status>;

// Headers that a client must be able to take: the text stands in both `grpc-message` (percent-
// encoded, so up to threefold) and the details (base64), and clients commonly stop at 8 KiB.
const TEXT_CHARS_MAX = 1_024;

/** The gRPC status of an error; a field at fault goes into `grpc-status-details-bin`. */
export function grpcStatus(error: PdpError): StatusObject {
  const code = statusCodes[error.kind];
  const details = bounded(error.message);
  const metadata = new Metadata();
  if (error.field !== undefined) {
    metadata.set("grpc-status-details-bin", badRequest(code, details, bounded(error.field)));
  }
  return { code, details, metadata };
}

/** `google.rpc.Status` with a `google.rpc.BadRequest`. */
function badRequest(code: number, message: string, field: string): Buffer {
  const fault = create(BadRequestSchema, {
    fieldViolations: [{ field, description: message }],
  });
  const details = [anyPack(BadRequestSchema, fault)];
  return Buffer.from(toBinary(StatusSchema, create(StatusSchema, { code, message, details })));
}

/** Cut to what fits headers; well-formed, since percent-encoding throws on a lone surrogate. */
function bounded(text: string): string {
  const cut = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text;
  return cut.toWellFormed();
}
