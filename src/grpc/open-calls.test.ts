import type { ServerHttp2Stream } from "node:http2";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { OpenCalls } from "./open-calls.ts";

const STALL_MS = 10_000;

let calls: OpenCalls;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  calls = new OpenCalls();
});
afterEach(() => {
  calls.stop();
  vi.useRealTimers();
});

function open(progress: () => number | undefined) {
  const stream = {} as ServerHttp2Stream;
  const call = {
    get peerProgress() {
      return progress();
    },
    giveUp: vi.fn(),
    release: vi.fn(),
  };
  calls.add(stream, call);
  return { stream, ...call };
}

describe("OpenCalls", () => {
  it("gives up a call whose peer has not moved between two looks, and no other", () => {
    let step = 0;
    const stalled = open(() => 0);
    const moving = open(() => step++);
    const ours = open(() => undefined);
    vi.advanceTimersByTime(STALL_MS);
    expect(stalled.giveUp).not.toHaveBeenCalled();
    const late = open(() => 0);
    vi.advanceTimersByTime(STALL_MS);
    expect(stalled.giveUp).toHaveBeenCalledOnce();
    for (const { giveUp } of [moving, ours, late]) expect(giveUp).not.toHaveBeenCalled();
  });

  it("forgets a call when its stream closes", () => {
    const call = open(() => 0);
    vi.advanceTimersByTime(STALL_MS);
    calls.closed(call.stream);
    vi.advanceTimersByTime(STALL_MS);
    expect(call.release).toHaveBeenCalledOnce();
    expect(call.giveUp).not.toHaveBeenCalled();
  });
});
