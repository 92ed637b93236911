import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { Create } from "typebox/value";
import { systemClock } from "../../src/base/clock.ts";
import { silentHealth } from "../../src/base/health.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import type { UnaryHandlers } from "../../src/base/unary-handler.ts";
import { BadRequestSchema } from "../../src/grpc/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../src/grpc/gen/google/rpc/status_pb.js";
import { createGrpcServer } from "../../src/grpc/grpc-server.ts";
import { grpcOptionsSchema } from "../../src/grpc/options.ts";
import type { ExpectedError } from "./golden-case.ts";

/** A real port and a stock client of it. */
export interface GrpcDoor {
  /** Calls a method by its name; rejects with the client's own error. */
  call(method: string, request: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Serves the handlers on a port of loopback. */
export async function openGrpcDoor(handlers: UnaryHandlers): Promise<GrpcDoor> {
  const server = await createGrpcServer({
    clock: systemClock,
    logger: silentLogger,
    meter: silentMeter,
    health: silentHealth,
    options: { ...Create(grpcOptionsSchema), listen: ["127.0.0.1:0"] },
    handlers,
  });
  server.setServing(true);
  const client = new Client(server.addresses[0]!, credentials.createInsecure());
  return {
    call: (method, request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `/postern.v1.DecisionService/${method}`,
          (bytes: Buffer) => bytes,
          (bytes: Buffer) => bytes,
          Buffer.from(request),
          (error, response) => (error === null ? resolve(response!) : reject(error)),
        );
      }),
    close: async () => {
      client.close();
      await server.drain(1_000);
    },
  };
}

/** The code's name and the field that the status details name. */
export function errorFromGrpc(failure: unknown): ExpectedError {
  const error = failure as ServiceError;
  const [details] = error.metadata.get("grpc-status-details-bin");
  const packed = details === undefined ? [] : fromBinary(StatusSchema, details as Buffer).details;
  const fault = packed.map((any) => anyUnpack(any, BadRequestSchema)).find(Boolean);
  const field = fault?.fieldViolations[0]?.field ?? "";
  return { error: { code: status[error.code]!, field } };
}
