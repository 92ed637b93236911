import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ExtAuthzOptions } from "../../../src/grpc/ext-authz/options.ts";
import type { CheckRequestSchema } from "../../../src/grpc/gen/envoy/service/auth/v3/external_auth_pb.js";

/** What Envoy says of a request. */
export type Attributes = NonNullable<MessageInitShape<typeof CheckRequestSchema>["attributes"]>;

/** What Envoy says of an HTTP request. */
export type Http = NonNullable<NonNullable<Attributes["request"]>["http"]>;

/** A case of the contract that OPA's Envoy plugin has with policies. */
export interface ContractCase {
  /** The row of the contract. */
  readonly row: string;
  readonly name: string;
  /** Rego that defines `allow`. */
  readonly rego: string;
  /** `GET /` unless said. */
  readonly http?: Http;
  readonly attributes?: Attributes;
  /** What the policy says, where the case is about what it sees. */
  readonly says?: boolean;
  /** The plugin answers 400, without asking the policy. */
  readonly isRefused?: boolean;
  /** How bodies are read; `strict` unless said. */
  readonly body?: ExtAuthzOptions["body"];
}

/** A policy that looks whether what it sees is so: a case of the input. */
export function sees(
  row: string,
  condition: string,
  given: Pick<ContractCase, "http" | "attributes" | "body"> = {},
): ContractCase {
  const rego = `default allow := false\n\nallow if {\n\t${condition}\n}`;
  return { row, name: condition, rego, says: true, ...given };
}

/** A policy that gives this answer: a case of the response. */
export function answers(row: string, document: string): ContractCase {
  return { row, name: document, rego: `allow := ${document}` };
}
