import { describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { notingMeter } from "../../test/support/noting-meter.ts";
import type { CallNotes } from "../base/call-notes.ts";
import { type LogFields, silentLogger } from "../base/logger.ts";
import type { TraceHeaders } from "../base/trace-context.ts";
import type { EndedCall } from "../base/tracer.ts";
import type { AnswerInBand, UnaryHandler } from "../base/unary-handler.ts";
import { PdpError } from "../decision/error.ts";
import { createCallGate } from "./call-gate.ts";
import { GrpcCode, type GrpcFailure } from "./status.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const traceparent = `00-${traceId}-${spanId}-01`;

type Cancellable = { isCancelled: boolean };

async function pass(
  handler: (...args: [...Parameters<UnaryHandler>, Cancellable]) => ReturnType<UnaryHandler>,
  deadlineMs = Number.POSITIVE_INFINITY,
  given: { readonly headers?: TraceHeaders; readonly inBand?: AnswerInBand } = {},
) {
  const { headers = {}, inBand } = given;
  const clock = manualClock();
  const { meter, notes } = notingMeter();
  const options = { callsMax: 1, streamsMax: 1 };
  const lines: LogFields[] = [];
  const logger = { ...silentLogger, error: (fields: LogFields) => void lines.push(fields) };
  const spans: EndedCall[] = [];
  const tracer = { ended: (call: EndedCall) => void spans.push(call) };
  const gate = createCallGate({ clock, logger, meter, tracer, options });
  const { serve } = gate.unary(
    "/m",
    (request, context) => {
      clock.advance(250);
      return handler(request, context, call);
    },
    inBand,
  );
  const { promise: answer, resolve } = Promise.withResolvers<Uint8Array | GrpcCode>();
  const passedAtMs = clock.monotonicMs() + deadlineMs;
  const call = {
    peer: { kind: "unix", certificateNames: [] } as const,
    headers,
    isCancelled: false,
    get atMonotonicMs() {
      return this.isCancelled ? Number.NEGATIVE_INFINITY : passedAtMs;
    },
    succeed: resolve,
    fail: ({ code }: GrpcFailure) => resolve(code),
  };
  serve(call, new Uint8Array());
  const closeStream = (): void => {
    call.isCancelled = true;
  };
  return { answer: await answer, notes, closeStream, spans, lines };
}

describe("createCallGate()", () => {
  const bytes = new Uint8Array([1]);

  it("counts and times an answer that is there at once", async () => {
    const { answer, notes } = await pass(() => bytes);
    expect(answer).toBe(bytes);
    expect(notes).toEqual([
      "postern_grpc_calls_total /m OK 1",
      "postern_grpc_call_seconds /m answered 0.25",
    ]);
  });

  it("shows calls that wait", async () => {
    const { notes } = await pass(async () => bytes);
    expect(notes.slice(0, 2)).toEqual([
      "postern_grpc_waiting_calls 1",
      "postern_grpc_waiting_calls 0",
    ]);
  });

  it("counts failures by their code, thrown or rejected", async () => {
    const error = new PdpError("unavailable", "no directory");
    for (const handler of [
      () => {
        throw error;
      },
      async () => {
        throw error;
      },
    ]) {
      const { answer, notes } = await pass(handler);
      expect(answer).toBe(GrpcCode.UNAVAILABLE);
      expect(notes).toContain("postern_grpc_calls_total /m UNAVAILABLE 1");
    }
  });

  it("makes an answer of every failure where the method can", async () => {
    const inBand: AnswerInBand = (error) => new TextEncoder().encode((error as PdpError).kind);
    const { meter, notes } = notingMeter();
    const options = { callsMax: 0, streamsMax: 1 };
    const gate = createCallGate({ clock: manualClock(), logger: silentLogger, meter, options });
    const { serve, refuse } = gate.unary("/m", () => bytes, inBand);
    const answers: string[] = [];
    const callUntil = (atMonotonicMs: number) => ({
      ...{
        peer: { kind: "unix", certificateNames: [] } as const,
        isCancelled: false,
        atMonotonicMs,
        headers: {},
      },
      succeed: (answer: Uint8Array, isOwed: boolean) =>
        answers.push(`${new TextDecoder().decode(answer)}${isOwed ? "" : ", perhaps"}`),
      fail: ({ message }: GrpcFailure) => answers.push(`failed: ${message}`),
    });
    serve(callUntil(Number.NEGATIVE_INFINITY), bytes);
    serve(callUntil(Number.POSITIVE_INFINITY), bytes);
    refuse(callUntil(Number.POSITIVE_INFINITY), new Error("unforeseen"));
    expect(answers).toEqual(["deadline-exceeded", "resource-exhausted", "internal"]);
    expect(notes.filter((note) => note.endsWith("/m OK 1"))).toHaveLength(3);
  });

  it("asks nobody after the deadline", async () => {
    const { answer, notes } = await pass(() => {
      throw new Error("was asked");
    }, 0);
    expect(answer).toBe(GrpcCode.DEADLINE_EXCEEDED);
    expect(notes).toEqual([
      "postern_requests_refused_early_total arrived-late 1",
      "postern_grpc_calls_total /m DEADLINE_EXCEEDED 1",
      "postern_grpc_call_seconds /m failed 0",
      "postern_grpc_failures_total /m deadline-exceeded 1",
    ]);
  });

  it("measures by what was decided, and counts what was not, whatever the status says", async () => {
    const decision = { decisionId: "1", application: "a", allowed: true, reason: "policy:allow" };
    const seconds = async (note: (notes: CallNotes) => void) => {
      const { notes } = await pass((_, call) => {
        note(call.notes!);
        return bytes;
      });
      return notes.slice(1);
    };
    expect(await seconds((notes) => notes.decided(decision))).toEqual([
      "postern_grpc_call_seconds /m allowed 0.25",
    ]);
    expect(await seconds((notes) => notes.decided({ ...decision, allowed: false }))).toEqual([
      "postern_grpc_call_seconds /m denied 0.25",
    ]);
    expect(await seconds((notes) => notes.failed("unavailable"))).toEqual([
      "postern_grpc_call_seconds /m failed 0.25",
      "postern_grpc_failures_total /m unavailable 1",
    ]);
  });

  it("leaves time for the answer to get back, a twentieth, up to 10 ms", async () => {
    const timeLeft = async (deadlineMs: number) => {
      let leftMs = 0;
      await pass((_, { deadline }, call) => {
        call.isCancelled = false;
        leftMs = deadline.atMonotonicMs;
        return bytes;
      }, deadlineMs);
      return leftMs - manualClock().monotonicMs();
    };
    expect(await timeLeft(200)).toBeCloseTo(190);
    expect(await timeLeft(10)).toBeCloseTo(9.5);
    expect(await timeLeft(60_000)).toBeCloseTo(59_990);
    expect(await timeLeft(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });

  it("tells the tracer of each call once, and by whose trace", async () => {
    const decision = { decisionId: "1", application: "a", allowed: false, reason: "deny:policy" };
    const { spans } = await pass(
      async (_, { notes }) => {
        notes!.decided(decision);
        return bytes;
      },
      1_000,
      { headers: { traceparent } },
    );
    expect(spans).toEqual([
      {
        ...{ method: "m", status: "OK", tookMs: 250, decision },
        ...{ batch: undefined, failure: undefined },
        context: { traceId, spanId, isSampled: true, state: "" },
      },
    ]);
  });

  it("goes by the trace of the request that is asked about where the call has none", async () => {
    const carried = { traceparent: traceparent.replaceAll("4", "5") };
    const contextOf = async (own: TraceHeaders) => {
      const { spans } = await pass(
        (_, { notes }) => {
          notes!.carries(() => carried);
          return bytes;
        },
        1_000,
        { headers: own },
      );
      return spans[0]!.context?.traceId;
    };
    expect(await contextOf({})).toBe(traceId.replaceAll("4", "5"));
    expect(await contextOf({ traceparent: "malformed" })).toBe(traceId.replaceAll("4", "5"));
    expect(await contextOf({ traceparent })).toBe(traceId);
  });

  it("logs what nobody foresaw with the trace that it happened in", async () => {
    const { spans, lines } = await pass(
      () => {
        throw new TypeError("x is not a function");
      },
      1_000,
      { headers: { traceparent } },
    );
    expect(lines).toMatchObject([{ method: "/m", traceId, error: { name: "TypeError" } }]);
    expect(spans).toMatchObject([{ status: "INTERNAL", failure: "internal" }]);
  });

  it("counts a call that its deadline has answered once, however its work ends", async () => {
    const work = Promise.withResolvers<Uint8Array>();
    const { answer, notes, closeStream } = await pass(() => work.promise, 251);
    expect(answer).toBe(GrpcCode.DEADLINE_EXCEEDED);
    closeStream();
    work.resolve(bytes);
    await expect.poll(() => notes).toContain("postern_grpc_waiting_calls 0");
    // Everything that follows from the work's end has had its turn.
    await new Promise(setImmediate);
    expect(notes.filter((note) => note.startsWith("postern_grpc_calls_total"))).toEqual([
      "postern_grpc_calls_total /m DEADLINE_EXCEEDED 1",
    ]);
  });

  it("does what is for an answer once that is sent, and not where another is, or none", async () => {
    const effects: string[] = [];
    const noting = (name: string, notes: CallNotes | undefined) => {
      notes!.onceSent(() => effects.push(name));
      return bytes;
    };
    const sent = await pass((_, { notes }) => {
      const answer = noting("sent", notes);
      expect(effects).toEqual([]);
      return answer;
    });
    expect(sent.answer).toBe(bytes);

    const work = Promise.withResolvers<void>();
    const late = await pass((_, { notes }) => work.promise.then(() => noting("late", notes)), 251);
    expect(late.answer).toBe(GrpcCode.DEADLINE_EXCEEDED);
    work.resolve();
    await expect.poll(() => late.notes).toContain("postern_grpc_waiting_calls 0");
    await pass((_, { notes }, call) => {
      call.isCancelled = true;
      return noting("cancelled", notes);
    });
    await pass((_, { notes }) => {
      noting("failed", notes);
      throw new PdpError("unavailable", "no directory");
    });
    const failing: UnaryHandler = (_, { notes }) => {
      noting("failed in band", notes);
      throw new PdpError("unavailable", "no directory");
    };
    const other = new Uint8Array([2]);
    const inBand = await pass(failing, Number.POSITIVE_INFINITY, { inBand: () => other });
    expect(inBand.answer).toBe(other);
    await new Promise(setImmediate);
    expect(effects).toEqual(["sent"]);
  });

  it("tells who works on a cancelled call that the deadline has passed", async () => {
    const deadlines: number[] = [];
    const { notes } = await pass((_, { deadline }, call) => {
      deadlines.push(deadline.atMonotonicMs);
      call.isCancelled = true;
      deadlines.push(deadline.atMonotonicMs);
      return bytes;
    });
    expect(deadlines).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    expect(notes[0]).toBe("postern_grpc_calls_total /m CANCELLED 1");
  });

  it("counts streams by how they ended, and frees their place", async () => {
    const { meter, notes } = notingMeter();
    const options = { callsMax: 1, streamsMax: 1 };
    const gate = createCallGate({ clock: manualClock(), logger: silentLogger, meter, options });
    const serve = gate.stream("/s", async () => {});
    const open = () => {
      const { promise, resolve } = Promise.withResolvers<GrpcCode>();
      let code: GrpcCode = GrpcCode.OK;
      const fail = (failure: GrpcFailure) => {
        code = failure.code;
      };
      serve({ ended: () => promise, fail });
      return async (how = code) => {
        resolve(how);
        await promise;
      };
    };
    const endFirst = open();
    const endRefused = open();
    await endRefused();
    await endFirst();
    await open()(GrpcCode.CANCELLED);
    expect(notes).toEqual([
      ...["postern_grpc_streams 1", "postern_grpc_streams 2"],
      ...["postern_grpc_streams 1", "postern_grpc_calls_total /s RESOURCE_EXHAUSTED 1"],
      ...["postern_grpc_streams 0", "postern_grpc_calls_total /s OK 1"],
      "postern_grpc_streams 1",
      ...["postern_grpc_streams 0", "postern_grpc_calls_total /s CANCELLED 1"],
    ]);
  });
});
