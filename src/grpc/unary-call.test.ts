import { EventEmitter } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import { describe, expect, it } from "vitest";
import { ByteBudget, FREE_BYTES } from "./byte-budget.ts";
import { UnaryCall } from "./unary-call.ts";

/** A call on a stream that keeps what is answered, with no room for anything that is held. */
function callWithoutRoom() {
  const statuses: unknown[] = [];
  const sent: number[] = [];
  const stream = Object.assign(new EventEmitter(), {
    ...{ destroyed: false, closed: false, readableEnded: true, resume: () => {} },
    respond: (headers: Record<string, string>) => statuses.push(headers["grpc-status"]),
    end: (bytes: Buffer) => sent.push(bytes.length),
  });
  const call = new UnaryCall({
    stream: stream as unknown as ServerHttp2Stream,
    ...{ peer: { kind: "unix", certificateNames: [] }, headers: {}, deadlineMs: Infinity },
    ...{ decompress: undefined, requestBytesMax: 1_024, budget: new ByteBudget(0) },
    ...{ serve: () => {}, refuse: () => {} },
  });
  return { call, statuses, sent };
}

describe("UnaryCall", () => {
  const large = new Uint8Array(FREE_BYTES + 1);

  it("fails where there is no room for its answer", () => {
    const { call, statuses, sent } = callWithoutRoom();
    call.succeed(large);
    expect([statuses, sent]).toEqual([["8"], []]);
  });

  it("is answered all the same where a failure would say something else", () => {
    const { call, statuses, sent } = callWithoutRoom();
    call.succeed(large, true);
    expect(statuses).toEqual([undefined]);
    expect(sent).toEqual([large.length + 5]);
    // Nothing was taken, so that nothing is given back.
    call.release();
  });
});
