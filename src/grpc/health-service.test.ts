import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { createGrpcBench } from "../../test/support/grpc-bench.ts";
import { failureOf } from "../../test/support/grpc-client.ts";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
} from "./gen/grpc/health/v1/health_pb.js";
import type { GrpcServer } from "./grpc-server.ts";

const WATCH = "/grpc.health.v1.Health/Watch";
const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;

const { clientOf, serve, close } = createGrpcBench();
afterEach(close);

describe("createHealthService()", () => {
  const statuses = (server: GrpcServer, service: string) => {
    const received: number[] = [];
    const serialize = (name: string): Buffer =>
      Buffer.from(
        toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service: name })),
      );
    const deserialize = (bytes: Buffer) => fromBinary(HealthCheckResponseSchema, bytes).status;
    const call = clientOf(server).inner.makeServerStreamRequest(
      WATCH,
      serialize,
      deserialize,
      service,
    );
    let changed = (): void => {};
    const ended = new Promise<number>((resolve) => {
      call.on("error", (error: { code: number }) => resolve(error.code));
    });
    call.on("data", (next: number) => {
      received.push(next);
      changed();
    });
    const reach = (count: number) =>
      new Promise<void>((resolve) => {
        changed = () => {
          if (received.length >= count) resolve();
        };
        changed();
      });
    return { received, reach, ended, call };
  };

  it("is NOT_SERVING until told, for the server and for its service", async () => {
    const server = await serve();
    const client = clientOf(server);
    const of = async (service: string) =>
      (await client.call(Health.method.check, { service })).status;
    expect(await of("")).toBe(NOT_SERVING);
    server.setServing(true);
    expect([await of(""), await of("postern.v1.DecisionService")]).toEqual([SERVING, SERVING]);
    expect((await failureOf(of("postern.v1.Nothing"))).code).toBe(status.NOT_FOUND);
    const { statuses: all } = await client.call(Health.method.list, {});
    expect(Object.keys(all).sort()).toEqual(["", "postern.v1.DecisionService"]);
    const garbage = client.raw("/grpc.health.v1.Health/Check", Buffer.from([0xff]));
    expect((await failureOf(garbage)).code).toBe(status.INVALID_ARGUMENT);
  });

  it("tells watchers of each change once, and of unknown services that they are", async () => {
    const server = await serve();
    const watch = statuses(server, "postern.v1.DecisionService");
    const unknown = statuses(server, "nothing");
    await watch.reach(1);
    server.setServing(true);
    server.setServing(true);
    await watch.reach(2);
    server.setServing(false);
    await watch.reach(3);
    await unknown.reach(1);
    expect(watch.received).toEqual([NOT_SERVING, SERVING, NOT_SERVING]);
    expect(unknown.received).toEqual([SERVICE_UNKNOWN]);
    for (const { call } of [watch, unknown]) call.cancel();
  });

  it("says NOT_SERVING before the server goes", async () => {
    const server = await serve();
    server.setServing(true);
    const watch = statuses(server, "");
    await watch.reach(1);
    expect(await server.drain(5_000)).toBe(true);
    expect(await watch.ended).toBe(status.UNAVAILABLE);
    expect(watch.received).toEqual([SERVING, NOT_SERVING]);
  });

  it("bounds the number of streams", async () => {
    const server = await serve({}, { streamsMax: 1 });
    const first = statuses(server, "");
    await first.reach(1);
    expect(await statuses(server, "").ended).toBe(status.RESOURCE_EXHAUSTED);
    first.call.cancel();
  });
});
