// A real Envoy, whose checks have a timeout, and Postern's door before a pipeline that has no time.

import { Create } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import type { Deadline } from "../../../src/base/deadline.ts";
import { noDeadline } from "../../../src/base/deadline.ts";
import { silentHealth } from "../../../src/base/health.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { PdpError } from "../../../src/decision/error.ts";
import { createExtAuthz } from "../../../src/grpc/ext-authz/ext-authz-service.ts";
import {
  type ExtAuthzOptions,
  extAuthzOptionsSchema,
} from "../../../src/grpc/ext-authz/options.ts";
import { createGrpcServer, type GrpcServer } from "../../../src/grpc/grpc-server.ts";
import { type GrpcOptions, grpcOptionsSchema } from "../../../src/grpc/options.ts";
import { type EchoUpstream, openUpstream } from "../../support/echo-upstream.ts";
import { startEnvoy } from "../../support/envoy.ts";
import { fakePipeline } from "../../support/fake-pipeline.ts";
import { httpCall } from "../../support/http-call.ts";
import { notingMeter } from "../../support/noting-meter.ts";

const TIMEOUT_MS = 5_000;
const { meter, notes } = notingMeter();
let server: GrpcServer;
let upstream: EchoUpstream;
let heard: Deadline = noDeadline;

beforeAll(async () => {
  const pipeline = fakePipeline({
    evaluate: (_, { deadline }) => {
      heard = { atMonotonicMs: deadline.atMonotonicMs };
      throw new PdpError("deadline-exceeded", "there is no time");
    },
  });
  const options = Create(extAuthzOptionsSchema) as ExtAuthzOptions;
  server = await createGrpcServer({
    ...{ clock: systemClock, logger: silentLogger, meter, health: silentHealth },
    options: { ...(Create(grpcOptionsSchema) as GrpcOptions), listen: ["127.0.0.1:0"] },
    ...createExtAuthz({ pipeline, options, clock: systemClock, logger: silentLogger, meter }),
  });
  upstream = await openUpstream();
});
afterAll(async () => {
  upstream?.close();
  await server?.drain(0);
});

describe("a check with a timeout", () => {
  it("says how long Envoy waits, and is answered with an error, which is counted", async () => {
    const { port } = await startEnvoy({
      ...{ pdp: [...server.addresses], upstreamPort: upstream.port },
      // What a timeout of Envoy's own would be answered with.
      ...{ timeoutMs: TIMEOUT_MS, statusOnError: 500 },
    });
    expect((await httpCall(port)).status).toBe(503);
    const leftMs = heard.atMonotonicMs - systemClock.monotonicMs();
    expect(leftMs).toBeLessThan(TIMEOUT_MS);
    expect(upstream.requests).toEqual([]);
    const check = "/envoy.service.auth.v3.Authorization/Check";
    expect(notes).toContain(`postern_grpc_failures_total ${check} deadline-exceeded 1`);
    expect(notes).toContain(`postern_grpc_calls_total ${check} OK 1`);
  });
});
