import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { fakeDecision } from "../../test/support/fake-pipeline.ts";
import { CHECK, createGrpcBench, gatedPipeline, question } from "../../test/support/grpc-bench.ts";
import { failureOf, type GrpcClient } from "../../test/support/grpc-client.ts";
import { checkFields, field, message } from "../../test/support/wire.ts";
import { systemClock } from "../base/clock.ts";
import { type Deadline, remainingMs } from "../base/deadline.ts";
import { type LogFields, type Logger, silentLogger } from "../base/logger.ts";
import { PdpError } from "../decision/error.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { DecisionService } from "./gen/postern/v1/decision_pb.js";

const { clientOf, connected, serve, close } = createGrpcBench();
afterEach(close);

describe("createGrpcServer()", () => {
  it("answers all four methods", async () => {
    const client = await connected();
    const { check, checkBatch, mfaRequired, getPermissionSet } = DecisionService.method;
    expect(await client.call(check, question)).toMatchObject({
      allowed: true,
      reason: "permission:agent:execute",
    });
    const batch = await client.call(checkBatch, {
      defaults: question,
      items: [{}, { action: { name: "read" } }, { action: { name: "*" } }],
    });
    expect(batch.results.map(({ answer }) => answer.case)).toEqual([
      "response",
      "response",
      "error",
    ]);
    expect(batch.results[2]!.answer.value).toMatchObject({
      code: 3,
      field: "items[2].action.name",
    });
    expect(await client.call(mfaRequired, { check: question })).toMatchObject({
      required: true,
      maxAgeSeconds: 900n,
    });
    expect(await client.call(getPermissionSet, { subject: { id: "a" } })).toMatchObject({
      status: "active",
      generation: 1n,
    });
  });

  it("answers a full batch of 1,000", async () => {
    const client = await connected();
    const { results } = await client.call(DecisionService.method.checkBatch, {
      defaults: question,
      items: Array.from({ length: 1_000 }, () => ({})),
    });
    expect(results).toHaveLength(1_000);
  });

  it("hands on the deadline on the monotonic scale", async () => {
    let leftMs = 0;
    const client = await connected({
      check: (request, { deadline }) => {
        leftMs = deadline.atMonotonicMs - systemClock.monotonicMs();
        return fakeDecision(request);
      },
    });
    await client.raw(CHECK, checkFields());
    expect(leftMs).toBe(Number.POSITIVE_INFINITY);
    const inAnHour = systemClock.wallMs() + 3_600_000;
    await client.raw(CHECK, checkFields(), { deadline: inAnHour });
    expect(Math.abs(leftMs - 3_600_000)).toBeLessThan(60_000);
  });

  it("ends the wait of a handler whose caller has gone", async () => {
    const asked = Promise.withResolvers<Deadline>();
    const client = await connected({
      check: (_, { deadline }) => {
        asked.resolve(deadline);
        return new Promise(() => {});
      },
    });
    const asIs = (bytes: Buffer): Buffer => bytes;
    const call = client.inner.makeUnaryRequest(CHECK, asIs, asIs, checkFields(), () => {});
    const deadline = await asked.promise;
    expect(remainingMs(systemClock, deadline)).toBe(Number.POSITIVE_INFINITY);
    call.cancel();
    await expect.poll(() => remainingMs(systemClock, deadline)).toBe(0);
  });

  it("maps the pipeline's errors, and hides the text of those it does not know", async () => {
    const lines: LogFields[] = [];
    const logger: Logger = { ...silentLogger, error: (fields) => void lines.push(fields) };
    const errors: unknown[] = [
      new PdpError("not-found", "no policy"),
      new PdpError("unavailable", "the directory can't be read"),
      new PdpError("permission-denied", "not trusted"),
      new Error("password=hunter2"),
      "thrown text",
    ];
    const client = await connected(
      {
        check: () => {
          throw errors.shift();
        },
      },
      { logger },
    );
    const codes: [number, string][] = [];
    while (errors.length > 0) {
      const { code, details } = await failureOf(client.raw(CHECK, checkFields()));
      codes.push([code, details]);
    }
    expect(codes).toEqual([
      [status.NOT_FOUND, "no policy"],
      [status.UNAVAILABLE, "the directory can't be read"],
      [status.PERMISSION_DENIED, "not trusted"],
      [status.INTERNAL, "internal error"],
      [status.INTERNAL, "internal error"],
    ]);
    expect(lines.map(({ error }) => String(error))).toEqual([
      "Error: password=hunter2",
      "thrown text",
    ]);
  });

  it("refuses calls beyond the limit on waiting ones, and takes them again afterwards", async () => {
    const gate = gatedPipeline();
    const client = await connected(gate.pipeline, { callsMax: 3 });
    const first = [1, 2, 3].map(() => client.raw(CHECK, checkFields()));
    await gate.waits(3);
    const error = await failureOf(client.raw(CHECK, checkFields()));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    gate.release();
    await Promise.all(first);
    const again = client.raw(CHECK, checkFields());
    await gate.waits(1);
    gate.release();
    await again;
  });

  it("counts a cancelled call until its work has ended", async () => {
    const gate = gatedPipeline();
    const client = await connected(gate.pipeline, { callsMax: 1 });
    const cancelled = failureOf(
      client.raw(CHECK, checkFields(), { deadline: systemClock.wallMs() + 50 }),
    );
    await gate.waits(1);
    expect((await cancelled).code).toBe(status.DEADLINE_EXCEEDED);
    expect((await failureOf(client.raw(CHECK, checkFields()))).code).toBe(
      status.RESOURCE_EXHAUSTED,
    );
    gate.release();
  });

  it("closes connections beyond the limit", async () => {
    const server = await serve({}, { connectionsMax: 1 });
    await clientOf(server).raw(CHECK, checkFields());
    const [host, port] = server.addresses[0]!.split(":");
    const second = connect({ host: host!, port: Number(port) });
    await new Promise((resolve) => second.on("close", resolve).on("error", () => {}));
  });

  it("takes 256 calls of 200 KB at once on one connection within its memory limit", async () => {
    const gate = gatedPipeline();
    const client = await connected(gate.pipeline);
    const large = field(1, message(field(1, "t"), field(2, field(3, "a".repeat(200_000)))));
    const bytes = message(checkFields(), field(5, large));
    const calls = Array.from({ length: 256 }, () => client.raw(CHECK, bytes));
    await gate.waits(256);
    gate.release();
    expect(await Promise.all(calls)).toHaveLength(256);
  });
});

describe("drain()", () => {
  it("lets calls in flight finish after GOAWAY", async () => {
    const gate = gatedPipeline();
    const server = await serve(gate.pipeline);
    const session = connectHttp2(`http://${server.addresses[0]}`);
    const told = once(session, "goaway");
    const call = session.request({
      ":method": "POST",
      ":path": CHECK,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const trailers = once(call, "trailers");
    call.resume();
    const length = Buffer.alloc(5);
    length.writeUInt32BE(checkFields().length, 1);
    call.end(Buffer.concat([length, checkFields()]));
    await gate.waits(1);
    const drained = server.drain(10_000);
    await told;
    gate.release();
    expect((await trailers)[0]).toMatchObject({ "grpc-status": "0" });
    expect(await drained).toBe(true);
  });

  it("cuts off what takes too long", async () => {
    const gate = gatedPipeline();
    const server = await serve(gate.pipeline);
    const call = failureOf(clientOf(server).raw(CHECK, checkFields()));
    await gate.waits(1);
    expect(await server.drain(20)).toBe(false);
    expect([status.UNAVAILABLE, status.CANCELLED]).toContain((await call).code);
    gate.release();
  });

  it("refuses new calls when drained", async () => {
    const server = await serve();
    const client = clientOf(server);
    await client.raw(CHECK, checkFields());
    await server.drain(1_000);
    expect((await failureOf(client.raw(CHECK, checkFields()))).code).toBe(status.UNAVAILABLE);
  });

  it("loses no call of clients that go elsewhere on GOAWAY", async () => {
    const pipeline: Partial<Pipeline> = {
      check: async (request) => {
        // Some turns of the event loop, so that a drain finds calls half-way.
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
        return fakeDecision(request);
      },
    };
    for (let round = 0; round < 3; round++) {
      const [leaving, staying] = [await serve(pipeline), await serve(pipeline)];
      const target = `ipv4:${leaving.addresses[0]},${staying.addresses[0]}`;
      const load = startLoad([1, 2].map(() => clientOf(leaving, target)));
      await load.answers(100);
      expect(await leaving.drain(10_000)).toBe(true);
      await load.answers(100);
      expect(await load.stop()).toEqual([]);
    }
  });
});

/** Eight calls at once on each client, without a pause, until stopped or until one fails. */
function startLoad(clients: readonly GrpcClient[]) {
  const failures: unknown[] = [];
  let answered = 0;
  let isStopped = false;
  const work = async (client: GrpcClient): Promise<void> => {
    while (!isStopped && failures.length === 0) {
      await client.call(DecisionService.method.check, question).then(
        () => answered++,
        (error) => failures.push(error),
      );
    }
  };
  const workers = clients.flatMap((client) => Array.from({ length: 8 }, () => work(client)));
  return {
    answers: async (count: number) => {
      const until = answered + count;
      while (answered < until && failures.length === 0) await new Promise(setImmediate);
    },
    stop: async () => {
      isStopped = true;
      await Promise.all(workers);
      return failures;
    },
  };
}
