import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import {
  type CheckRequest,
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
  type DeniedHttpResponseSchema,
  type OkHttpResponseSchema,
} from "../../src/grpc/gen/envoy/service/auth/v3/external_auth_pb.js";

/** An answer that is a message. */
export type CheckAnswer = Exclude<MessageInitShape<typeof CheckResponseSchema>, CheckResponse>;

/** An answer that is an error of gRPC. */
export interface GrpcFailure {
  readonly grpcStatus: number;
}

/** An Authorization server that answers what it is told to: for tests of what Envoy does. */
export interface AuthorizationStub {
  /** `host:port`, or `unix:/path`. */
  readonly address: string;
  /** Given to every check from here on; bytes go out as they are, `silence` is none at all. */
  answer: CheckAnswer | Uint8Array | GrpcFailure | "silence";
  /** Every check so far. */
  readonly checks: readonly CheckRequest[];
  close(): void;
}

/** Starts a stub, which allows all, on a free port or at `unix:/path`; who starts it closes it. */
export async function openAuthorizationStub(listen = "127.0.0.1:0"): Promise<AuthorizationStub> {
  const checks: CheckRequest[] = [];
  const server = new Server();
  server.addService(
    { Check: CHECK },
    {
      Check: (call: ServerUnaryCall<CheckRequest, Buffer>, reply: sendUnaryData<Buffer>) => {
        const { answer } = stub;
        checks.push(call.request);
        if (answer === "silence") return;
        if ("grpcStatus" in answer) reply({ code: answer.grpcStatus });
        else reply(null, encoded(answer));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(listen, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const stub: AuthorizationStub = {
    address: listen.startsWith("unix:") ? listen : `127.0.0.1:${port}`,
    answer: {},
    checks,
    close: () => server.forceShutdown(),
  };
  return stub;
}

/** An allow with what is to be done to the request. */
export function allow(value: MessageInitShape<typeof OkHttpResponseSchema> = {}): CheckAnswer {
  return { httpResponse: { case: "okResponse", value } };
}

/** A denial, as PERMISSION_DENIED unless said. */
export function deny(
  value: MessageInitShape<typeof DeniedHttpResponseSchema> = {},
  code = 7,
): CheckAnswer {
  return { status: { code }, httpResponse: { case: "deniedResponse", value } };
}

/** An `error_response`, as INTERNAL unless said. */
export function fail(
  value: MessageInitShape<typeof DeniedHttpResponseSchema> = {},
  code = 13,
): CheckAnswer {
  return { status: { code }, httpResponse: { case: "errorResponse", value } };
}

const CHECK = {
  path: "/envoy.service.auth.v3.Authorization/Check",
  requestStream: false,
  responseStream: false,
  requestDeserialize: (bytes: Buffer) => fromBinary(CheckRequestSchema, bytes),
  requestSerialize: (message: CheckRequest) => Buffer.from(toBinary(CheckRequestSchema, message)),
  responseDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
} as const;

function encoded(answer: CheckAnswer | Uint8Array): Buffer {
  if (answer instanceof Uint8Array) return Buffer.from(answer);
  return Buffer.from(toBinary(CheckResponseSchema, create(CheckResponseSchema, answer)));
}
