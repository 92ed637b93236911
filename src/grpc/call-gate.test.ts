import { EventEmitter } from "node:events";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { notingMeter } from "../../test/support/noting-meter.ts";
import { silentLogger } from "../base/logger.ts";
import type { UnaryHandler } from "../base/unary-handler.ts";
import { PdpError } from "../decision/error.ts";
import { createCallGate } from "./call-gate.ts";

type Cancellable = { cancelled: boolean };

async function pass(
  handler: (...args: [...Parameters<UnaryHandler>, Cancellable]) => ReturnType<UnaryHandler>,
  deadlineMs = Number.POSITIVE_INFINITY,
) {
  const clock = manualClock();
  const { meter, notes } = notingMeter();
  const options = { callsMax: 1, streamsMax: 1 };
  const gate = createCallGate({ clock, logger: silentLogger, meter, options });
  const method = gate.unary(
    "/m",
    (request, context) => {
      clock.advance(250);
      return handler(request, context, call);
    },
    { kind: "unix", certificateNames: [] },
  );
  const call = {
    request: new Uint8Array(),
    cancelled: false,
    getDeadline: () => clock.wallMs() + deadlineMs,
  };
  // The gate uses no more of a call than is here.
  const answer = await new Promise((resolve) =>
    method(call as never, (error, value) => resolve(error?.code ?? value)),
  );
  return { answer, notes };
}

describe("createCallGate()", () => {
  const bytes = new Uint8Array([1]);

  it("counts and times an answer that is there at once", async () => {
    const { answer, notes } = await pass(() => bytes);
    expect(answer).toBe(bytes);
    expect(notes).toEqual([
      "postern_grpc_calls_total /m OK 1",
      "postern_grpc_call_seconds /m 0.25",
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
      expect(answer).toBe(status.UNAVAILABLE);
      expect(notes).toContain("postern_grpc_calls_total /m UNAVAILABLE 1");
    }
  });

  it("asks nobody after the deadline", async () => {
    const { answer, notes } = await pass(() => {
      throw new Error("was asked");
    }, 0);
    expect(answer).toBe(status.DEADLINE_EXCEEDED);
    expect(notes).toContain("postern_grpc_calls_total /m DEADLINE_EXCEEDED 1");
  });

  it("tells who works on a cancelled call that the deadline has passed", async () => {
    const deadlines: number[] = [];
    const { notes } = await pass((_, { deadline }, call) => {
      deadlines.push(deadline.atMonotonicMs);
      call.cancelled = true;
      deadlines.push(deadline.atMonotonicMs);
      return bytes;
    });
    expect(deadlines).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    expect(notes[0]).toBe("postern_grpc_calls_total /m CANCELLED 1");
  });

  it("counts streams by how they ended, and frees their place", () => {
    const { meter, notes } = notingMeter();
    const options = { callsMax: 1, streamsMax: 1 };
    const gate = createCallGate({ clock: manualClock(), logger: silentLogger, meter, options });
    const serve = gate.stream("/s", () => {});
    const open = () => {
      const call = Object.assign(new EventEmitter(), { cancelled: false });
      serve(call as never);
      return call;
    };
    const first = open();
    const tooMany = open();
    // grpc-js marks a call as cancelled after every error status.
    tooMany.cancelled = true;
    tooMany.emit("close");
    first.emit("close");
    const cancelled = open();
    cancelled.cancelled = true;
    cancelled.emit("close");
    expect(notes).toEqual([
      ...["postern_grpc_streams 1", "postern_grpc_streams 2"],
      ...["postern_grpc_streams 1", "postern_grpc_calls_total /s RESOURCE_EXHAUSTED 1"],
      ...["postern_grpc_streams 0", "postern_grpc_calls_total /s OK 1"],
      "postern_grpc_streams 1",
      ...["postern_grpc_streams 0", "postern_grpc_calls_total /s CANCELLED 1"],
    ]);
  });
});
