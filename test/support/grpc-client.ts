import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type CallOptions, Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { BadRequestSchema } from "../../src/grpc/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../src/grpc/gen/google/rpc/status_pb.js";

/** A gRPC client for tests: typed calls, and calls with any bytes. */
export interface GrpcClient {
  /** Calls a method of a generated service, e.g. `DecisionService.method.check`. */
  call<Request extends DescMessage, Response extends DescMessage>(
    method: DescMethodUnary<Request, Response>,
    request: MessageInitShape<Request>,
    options?: CallOptions,
  ): Promise<MessageShape<Response>>;
  /** Calls `/package.Service/Method` with bytes as they are. */
  raw(path: string, request: Uint8Array, options?: CallOptions): Promise<Buffer>;
  /** The client of grpc-js, for streams. */
  readonly inner: Client;
  close(): void;
}

/** PEM texts of a client: whom it trusts, and who it is. */
export interface ClientTls {
  readonly ca: Buffer;
  readonly key?: Buffer;
  readonly cert?: Buffer;
}

/** Connects to `host:port` or `unix:/path`; with `tls` to `tls://host:port`, called `localhost`. */
export function createGrpcClient(address: string, tls?: ClientTls): GrpcClient {
  const channel =
    tls === undefined
      ? credentials.createInsecure()
      : credentials.createSsl(tls.ca, tls.key ?? null, tls.cert ?? null);
  // A pool of its own, so that tests do not share connections.
  const inner = new Client(address.replace(/^tls:\/\//, ""), channel, {
    ...(tls && { "grpc.ssl_target_name_override": "localhost" }),
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": -1,
  });
  const raw: GrpcClient["raw"] = (path, request, options = {}) =>
    new Promise((resolve, reject) => {
      inner.makeUnaryRequest(path, asBuffer, asIs, request, options, (error, response) => {
        if (error) reject(error);
        else resolve(response!);
      });
    });
  return {
    raw,
    call: async (method, request, options) => {
      const path = `/${method.parent.typeName}/${method.name}`;
      const bytes = toBinary(method.input, create(method.input, request));
      return fromBinary(method.output, await raw(path, bytes, options));
    },
    inner,
    close: () => inner.close(),
  };
}

/** The error of a call that is to fail. */
export async function failureOf(call: Promise<unknown>): Promise<ServiceError> {
  try {
    await call;
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error("the call succeeded");
}

/** The field named by the `google.rpc.BadRequest` of an error; `undefined` without one. */
export function badRequestField(error: ServiceError): string | undefined {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (!Buffer.isBuffer(bytes)) return undefined;
  const [detail] = fromBinary(StatusSchema, bytes).details;
  if (detail?.typeUrl !== "type.googleapis.com/google.rpc.BadRequest") return undefined;
  return fromBinary(BadRequestSchema, detail.value).fieldViolations[0]?.field;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
