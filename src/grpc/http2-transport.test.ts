import { once } from "node:events";
import { type ClientHttp2Session, constants } from "node:http2";
import { deflateSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { CHECK, createGrpcBench, gatedPipeline } from "../../test/support/grpc-bench.ts";
import { callHeaders, http2Call, http2Session } from "../../test/support/http2-call.ts";
import { checkFields } from "../../test/support/wire.ts";
import type { Deadline } from "../base/deadline.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { encodeMessage } from "./message-reader.ts";
import type { GrpcOptions } from "./options.ts";
import { GrpcCode } from "./status.ts";

const { serve, close } = createGrpcBench();
const sessions: ClientHttp2Session[] = [];
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await close();
});

const request = encodeMessage(checkFields());

async function connected(
  pipeline: Partial<Pipeline> = {},
  options: Partial<GrpcOptions> = {},
): Promise<ClientHttp2Session> {
  const server = await serve(pipeline, options);
  const session = http2Session(server.addresses[0]!);
  sessions.push(session);
  return session;
}

function compressed(bytes: Buffer): Buffer {
  const frame = encodeMessage(bytes);
  frame[0] = 1;
  return frame;
}

describe("createHttp2Transport()", () => {
  it("answers a message that comes byte by byte", async () => {
    const session = await connected();
    const bytes = [...request].map((byte) => Buffer.from([byte]));
    const answer = await http2Call(session, callHeaders(CHECK), bytes);
    expect(answer).toMatchObject({ status: "0", headers: { ":status": 200 } });
    expect(answer.body.readUInt32BE(1)).toBe(answer.body.length - 5);
  });

  it.each([
    ["GET", { ":method": "GET" }, 405],
    ["another content type", { "content-type": "application/json" }, 415],
    ["a longer content type", { "content-type": "application/grpcx" }, 415],
  ])("answers %s in HTTP's own terms", async (_, more, httpStatus) => {
    const session = await connected();
    const answer = await http2Call(session, callHeaders(CHECK, more), []);
    expect(answer.headers[":status"]).toBe(httpStatus);
    expect(answer.status).toBeUndefined();
  });

  it.each(["application/grpc+proto", "application/grpc;charset=utf-8"])(
    "takes %s",
    async (type) => {
      const session = await connected();
      const headers = callHeaders(CHECK, { "content-type": type });
      expect(await http2Call(session, headers, [request])).toMatchObject({ status: "0" });
    },
  );

  it.each([`${CHECK}/`, `/${CHECK}`, `${CHECK}?x`, CHECK.toLowerCase(), "/constructor"])(
    "serves nothing at %s",
    async (path) => {
      const session = await connected();
      const answer = await http2Call(session, callHeaders(path), [request]);
      expect(answer.status).toBe(String(GrpcCode.UNIMPLEMENTED));
    },
  );

  it("serves nothing at a path without its slash, which is no HTTP/2", async () => {
    const session = await connected();
    const answer = http2Call(session, callHeaders(CHECK.slice(1)), [request]);
    await expect(answer).rejects.toThrow("PROTOCOL_ERROR");
  });

  it.each([
    ["none", [], GrpcCode.UNIMPLEMENTED],
    ["two", [request, request], GrpcCode.UNIMPLEMENTED],
    ["one and a bit", [request, request.subarray(0, 7)], GrpcCode.UNIMPLEMENTED],
    ["half a", [request.subarray(0, 7)], GrpcCode.UNIMPLEMENTED],
    ["a compressed, without encoding,", [compressed(gzipSync("x"))], GrpcCode.INTERNAL],
  ])("refuses %s message", async (_, chunks, code) => {
    const session = await connected({
      check: () => {
        throw new Error("was asked");
      },
    });
    const answer = await http2Call(session, callHeaders(CHECK), chunks);
    expect(answer.status).toBe(String(code));
  });

  it.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
  ])("takes messages compressed by %s, and those that are not", async (encoding, compress) => {
    const session = await connected();
    const headers = callHeaders(CHECK, { "grpc-encoding": encoding });
    for (const message of [compressed(compress(checkFields())), request]) {
      expect(await http2Call(session, headers, [message])).toMatchObject({ status: "0" });
    }
  });

  it("stops decompressing at the limit", async () => {
    const session = await connected();
    const headers = callHeaders(CHECK, { "grpc-encoding": "gzip" });
    const bomb = compressed(gzipSync(Buffer.alloc(200_000_000)));
    const answer = await http2Call(session, headers, [bomb]);
    expect(answer.status).toBe(String(GrpcCode.RESOURCE_EXHAUSTED));
    const damaged = compressed(Buffer.from("not gzip"));
    const other = await http2Call(session, headers, [damaged]);
    expect(other.status).toBe(String(GrpcCode.INTERNAL));
  });

  it("names the encodings it takes to a client that uses another", async () => {
    const session = await connected();
    const headers = callHeaders(CHECK, { "grpc-encoding": "br" });
    const answer = await http2Call(session, headers, [request]);
    expect(answer.status).toBe(String(GrpcCode.UNIMPLEMENTED));
    expect(answer.headers["grpc-accept-encoding"]).toBe("identity,gzip,deflate");
  });

  it.each(["", "1", "-1S", "1s", "123456789S", "1 S", "1S ;", "NaNS"])(
    "refuses the timeout %j",
    async (timeout) => {
      const session = await connected();
      const headers = callHeaders(CHECK, { "grpc-timeout": timeout });
      const answer = await http2Call(session, headers, [request]);
      expect(answer.status).toBe(String(GrpcCode.INTERNAL));
    },
  );

  it.each(["99999999H", "35792M", "2147484S", "99999999m"])(
    "waits for a caller that has %s",
    async (timeout) => {
      const gate = gatedPipeline();
      const session = await connected(gate.pipeline);
      const headers = callHeaders(CHECK, { "grpc-timeout": timeout });
      const answer = http2Call(session, headers, [request]);
      await gate.waits(1);
      gate.release();
      expect(await answer).toMatchObject({ status: "0" });
    },
  );

  it("answers at the deadline, once, whatever the work does afterwards", async () => {
    const gate = gatedPipeline();
    const session = await connected(gate.pipeline);
    const headers = callHeaders(CHECK, { "grpc-timeout": "20m" });
    const answer = await http2Call(session, headers, [request]);
    expect(answer.status).toBe(String(GrpcCode.DEADLINE_EXCEEDED));
    gate.release();
    expect(await http2Call(session, callHeaders(CHECK), [])).toMatchObject({ status: "12" });
  });

  it("keeps a connection whose client cancels 5,000 calls at once", async () => {
    const deadlines: Deadline[] = [];
    const session = await connected(
      {
        check: (_, { deadline }) => {
          deadlines.push(deadline);
          return new Promise(() => {});
        },
      },
      { callsMax: 100_000 },
    );
    for (let round = 0; round < 25; round += 1) {
      const streams = Array.from({ length: 200 }, () => {
        const stream = session.request(callHeaders(CHECK));
        stream.on("error", () => {});
        stream.end(request);
        return stream;
      });
      await expect.poll(() => deadlines.length).toBe((round + 1) * 200);
      const closed = streams.map((stream) => once(stream, "close"));
      for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
      await Promise.all(closed);
      // Until the server has let go of them, they count among the concurrent ones.
      await expect
        .poll(() => deadlines.every(({ atMonotonicMs }) => atMonotonicMs === -Infinity))
        .toBe(true);
    }
    expect(session.destroyed).toBe(false);
    const health = callHeaders("/grpc.health.v1.Health/Check");
    expect(await http2Call(session, health, [encodeMessage(Buffer.alloc(0))])).toMatchObject({
      status: "0",
    });
  });

  it("answers early without waiting for the rest of a message that is too large", async () => {
    const session = await connected();
    const stream = session.request(callHeaders(CHECK));
    stream.on("error", () => {});
    const answered = once(stream, "response");
    stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
    const [headers] = await answered;
    expect(headers["grpc-status"]).toBe(String(GrpcCode.RESOURCE_EXHAUSTED));
    stream.resume();
    await once(stream, "close");
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });
});

describe("a session's end", () => {
  it("comes in two GOAWAYs, so that a call that crosses the first is answered", async () => {
    const server = await serve();
    const session = http2Session(server.addresses[0]!);
    sessions.push(session);
    expect(await http2Call(session, callHeaders(CHECK), [request])).toMatchObject({ status: "0" });
    const lastIds: number[] = [];
    session.on("goaway", (_, lastId) => lastIds.push(lastId));
    const crossing = once(session, "goaway").then(() => undefined);
    const drained = server.drain(5_000);
    await crossing;
    expect(await drained).toBe(true);
    expect(lastIds[0]).toBe(2 ** 31 - 1);
  });

  it("comes when nobody has called for long enough", async () => {
    const session = await connected({}, { connectionIdleMs: 50 });
    await once(session, "close");
    expect(session.destroyed).toBe(true);
  });

  it("does not come while a call is open", async () => {
    const gate = gatedPipeline();
    const session = await connected(gate.pipeline, { connectionIdleMs: 20 });
    const answer = http2Call(session, callHeaders(CHECK), [request]);
    await gate.waits(1);
    const idle = await connected({}, { connectionIdleMs: 60 });
    await once(idle, "close");
    gate.release();
    expect(await answer).toMatchObject({ status: "0" });
  });

  it("comes at its age, gracefully, and is forced on calls that take too long", async () => {
    const gate = gatedPipeline();
    const ages = { connectionAgeMs: 20, connectionAgeGraceMs: 20 };
    const session = await connected(gate.pipeline, ages);
    const call = http2Call(session, callHeaders(CHECK), [request]).catch(() => "broken");
    await once(session, "close");
    await call;
    gate.release();
    expect(session.destroyed).toBe(true);
  });
});
