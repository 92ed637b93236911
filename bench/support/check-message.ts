import { create, toBinary } from "@bufbuild/protobuf";
import { CheckRequestSchema } from "../../src/grpc/gen/postern/v1/decision_pb.js";

/** Path of `Check` on the wire. */
export const CHECK_PATH = "/postern.v1.DecisionService/Check";

/** Asks whether `subject` has `permission`, in the only application or the default one. */
export function checkMessage(subject: string, permission: string): Uint8Array {
  const [type = "", name = ""] = permission.split(":");
  const message = create(CheckRequestSchema, {
    subject: { id: subject },
    action: { name },
    resource: { type },
  });
  return toBinary(CheckRequestSchema, message);
}
