import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Value } from "typebox/value";
import { systemClock } from "../../src/base/clock.ts";
import { silentHealth } from "../../src/base/health.ts";
import { type Logger, silentLogger } from "../../src/base/logger.ts";
import { type Meter, silentMeter } from "../../src/base/meter.ts";
import type { Decision } from "../../src/decision/decision.ts";
import { createDecisionService } from "../../src/grpc/decision-service.ts";
import { createGrpcServer, type GrpcServer } from "../../src/grpc/grpc-server.ts";
import { type GrpcOptions, grpcOptionsSchema } from "../../src/grpc/options.ts";
import type { Pipeline } from "../../src/pipeline/pipeline.ts";
import { fakeDecision, fakePipeline } from "./fake-pipeline.ts";
import { type ClientTls, createGrpcClient, type GrpcClient } from "./grpc-client.ts";

/** Full name of the method most tests call. */
export const CHECK = "/postern.v1.DecisionService/Check";

/** A question that `fakePipeline` allows. */
export const question = {
  subject: { id: "user-123" },
  action: { name: "execute" },
  resource: { type: "agent" },
};

/** Options that differ from the defaults, and where to log. */
export type ServerSettings = Partial<GrpcOptions> & { logger?: Logger; meter?: Meter };

/** gRPC servers, clients and folders that one test makes and `close` takes away. */
export function createGrpcBench() {
  const servers: GrpcServer[] = [];
  const clients: GrpcClient[] = [];
  const folders: string[] = [];

  async function serve(
    pipeline: Partial<Pipeline> = {},
    { logger = silentLogger, meter = silentMeter, ...overrides }: ServerSettings = {},
  ): Promise<GrpcServer> {
    const defaults = Value.Create(grpcOptionsSchema) as GrpcOptions;
    const options = { ...defaults, listen: ["127.0.0.1:0"], ...overrides };
    const handlers = createDecisionService({
      pipeline: fakePipeline(pipeline),
      batchItemsMax: options.batchItemsMax,
    });
    const base = { clock: systemClock, logger, meter, health: silentHealth };
    const server = await createGrpcServer({ ...base, options, handlers });
    servers.push(server);
    return server;
  }

  function clientOf(
    server: GrpcServer,
    address = server.addresses[0]!,
    tls?: ClientTls,
  ): GrpcClient {
    const client = createGrpcClient(address, tls);
    clients.push(client);
    return client;
  }

  return {
    serve,
    clientOf,
    connected: async (...args: Parameters<typeof serve>) => clientOf(await serve(...args)),
    folder: (): string => {
      const made = mkdtempSync(join(tmpdir(), "postern-grpc-"));
      folders.push(made);
      return made;
    },
    close: async (): Promise<void> => {
      for (const client of clients.splice(0)) client.close();
      await Promise.all(servers.splice(0).map((server) => server.drain(0)));
      for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A pipeline whose checks wait until they are let go. */
export function gatedPipeline() {
  const waiting: (() => void)[] = [];
  let arrived = (): void => {};
  const check: Pipeline["check"] = (request) =>
    new Promise<Decision>((resolve) => {
      waiting.push(() => resolve(fakeDecision(request)));
      arrived();
    });
  return {
    pipeline: { check },
    release: () => {
      for (const go of waiting.splice(0)) go();
    },
    /** Resolves when `count` checks wait. */
    waits: (count: number) =>
      new Promise<void>((resolve) => {
        arrived = () => {
          if (waiting.length >= count) resolve();
        };
        arrived();
      }),
  };
}
