import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { UnaryHandler } from "../base/unary-handler.ts";
import { PdpError } from "../decision/error.ts";
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
} from "./gen/grpc/health/v1/health_pb.js";
import { GrpcCode } from "./status.ts";
import type { StreamingCall } from "./streaming-call.ts";

/** `grpc.health.v1.Health`: all services are well, or none is, as readiness has it. */
export interface HealthService {
  readonly check: UnaryHandler;
  readonly list: UnaryHandler;
  watch(call: StreamingCall): Promise<void>;
  setServing(isServing: boolean): void;
  /** Says NOT_SERVING for good and ends the watches, after which clients look elsewhere. */
  close(): void;
}

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;

/** Reports on the server as a whole (the empty name) and on `services`; not serving at first. */
export function createHealthService(services: readonly string[]): HealthService {
  const known = new Set(["", ...services]);
  /** Open calls, and whether the service they ask about is known. */
  const watches = new Map<StreamingCall, boolean>();
  let isServing = false;
  let isClosed = false;

  const current = () =>
    create(HealthCheckResponseSchema, { status: isServing ? SERVING : NOT_SERVING });
  const unknown = toBinary(
    HealthCheckResponseSchema,
    create(HealthCheckResponseSchema, { status: SERVICE_UNKNOWN }),
  );
  const encoded = () => toBinary(HealthCheckResponseSchema, current());

  function setServing(next: boolean): void {
    if (isClosed || next === isServing) return;
    isServing = next;
    for (const [call, isKnown] of watches) if (isKnown) call.write(encoded());
  }

  return {
    check: (request) => {
      const service = serviceOf(request);
      if (!known.has(service)) throw new PdpError("not-found", "no such service");
      return encoded();
    },
    list: () => {
      const statuses = Object.fromEntries([...known].map((name) => [name, current()]));
      return toBinary(HealthListResponseSchema, create(HealthListResponseSchema, { statuses }));
    },
    watch: async (call) => {
      const service = serviceOf(await call.message());
      if (isClosed) {
        endDraining(call);
        return;
      }
      // Of an unknown service the stream stays open, as the protocol has it.
      const isKnown = known.has(service);
      watches.set(call, isKnown);
      call.write(isKnown ? encoded() : unknown);
      await call.ended();
      watches.delete(call);
    },
    setServing,
    close: () => {
      setServing(false);
      isClosed = true;
      for (const call of watches.keys()) endDraining(call);
      watches.clear();
    },
  };
}

function endDraining(call: StreamingCall): void {
  call.fail({ code: GrpcCode.UNAVAILABLE, message: "draining" });
}

function serviceOf(request: Uint8Array): string {
  try {
    return fromBinary(HealthCheckRequestSchema, request).service;
  } catch (error) {
    throw new PdpError("invalid-argument", "message: is not a HealthCheckRequest", {
      cause: error,
    });
  }
}
