import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type MessageShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import {
  CheckBatchRequestSchema,
  CheckBatchResponseSchema,
  CheckRequestSchema,
  CheckResponseSchema,
  MfaRequiredRequestSchema,
  MfaRequiredResponseSchema,
} from "../../src/grpc/gen/postern/v1/decision_pb.js";
import type { Answer, CaseRequest } from "./golden-case.ts";

/** A case's request as a client would encode it. */
export function encodeCheck(request: CaseRequest): Uint8Array {
  return toBinary(CheckRequestSchema, fromJson(CheckRequestSchema, request as JsonObject));
}

/** A response as a client would decode it, in JSON with the proto's own field names. */
export function decodeCheck(bytes: Uint8Array): Answer {
  return jsonOf(CheckResponseSchema, fromBinary(CheckResponseSchema, bytes));
}

/** A batch of one. */
export function encodeBatch(request: CaseRequest): Uint8Array {
  const item = fromJson(CheckRequestSchema, request as JsonObject);
  return toBinary(CheckBatchRequestSchema, create(CheckBatchRequestSchema, { items: [item] }));
}

/** The only result of a batch; throws if it is an error. */
export function decodeBatch(bytes: Uint8Array): Answer {
  const { results } = fromBinary(CheckBatchResponseSchema, bytes);
  const result = results[0]?.answer;
  if (results.length !== 1 || result?.case !== "response") throw new Error("no single response");
  return jsonOf(CheckResponseSchema, result.value);
}

/** The same question for `MfaRequired`. */
export function encodeMfaRequired(request: CaseRequest): Uint8Array {
  const check = fromJson(CheckRequestSchema, request as JsonObject);
  return toBinary(MfaRequiredRequestSchema, create(MfaRequiredRequestSchema, { check }));
}

/** What `MfaRequired` says. */
export function decodeMfaRequired(bytes: Uint8Array): { required: boolean; satisfied: boolean } {
  return fromBinary(MfaRequiredResponseSchema, bytes);
}

function jsonOf<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
): JsonObject {
  const options = { useProtoFieldName: true, alwaysEmitImplicit: true };
  return toJson(schema, message, options) as JsonObject;
}
