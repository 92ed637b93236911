import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { ErrorKind, PdpError } from "../decision/error.ts";
import { BadRequestSchema } from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";

/** The gRPC status codes that a server has a use for, by their names. */
export const GrpcCode = {
  OK: 0,
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

/** One of them. */
export type GrpcCode = (typeof GrpcCode)[keyof typeof GrpcCode];

/** How a call fails on the wire. */
export interface GrpcFailure {
  readonly code: GrpcCode;
  /** Well-formed, for people. */
  readonly message: string;
  /** An encoded `google.rpc.Status`, where there is more to say. */
  readonly details?: Uint8Array;
}

/** What each kind of error is on the wire. */
export const statusCodes = {
  "invalid-argument": GrpcCode.INVALID_ARGUMENT,
  "not-found": GrpcCode.NOT_FOUND,
  "permission-denied": GrpcCode.PERMISSION_DENIED,
  "resource-exhausted": GrpcCode.RESOURCE_EXHAUSTED,
  "too-large": GrpcCode.RESOURCE_EXHAUSTED,
  "failed-precondition": GrpcCode.FAILED_PRECONDITION,
  "deadline-exceeded": GrpcCode.DEADLINE_EXCEEDED,
  unavailable: GrpcCode.UNAVAILABLE,
  internal: GrpcCode.INTERNAL,
} as const satisfies Record<ErrorKind, GrpcCode>;

// Headers that a client must be able to take: the text stands in both `grpc-message` (percent-
// encoded, so up to threefold) and the details (base64), and clients commonly stop at 8 KiB.
const TEXT_CHARS_MAX = 1_024;

/** The gRPC status of an error; a field at fault goes into the details. */
export function grpcFailure(error: PdpError): GrpcFailure {
  const code = statusCodes[error.kind];
  const message = bounded(error.message);
  if (error.field === undefined) return { code, message };
  return { code, message, details: badRequest(code, message, bounded(error.field)) };
}

/** `google.rpc.Status` with a `google.rpc.BadRequest`. */
function badRequest(code: number, message: string, field: string): Uint8Array {
  const fault = create(BadRequestSchema, {
    fieldViolations: [{ field, description: message }],
  });
  const details = [anyPack(BadRequestSchema, fault)];
  return toBinary(StatusSchema, create(StatusSchema, { code, message, details }));
}

/** Cut to what fits headers; well-formed, since percent-encoding throws on a lone surrogate. */
function bounded(text: string): string {
  const cut = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text;
  return cut.toWellFormed();
}
