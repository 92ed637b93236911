// Peers that leave a call half done, on a real connection, with the clock of the looks in hand.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CHECK, createGrpcBench, gatedPipeline } from "../../test/support/grpc-bench.ts";
import {
  callBlock,
  dataFrame,
  Flag,
  FrameType,
  headersFrame,
  http2Connection,
  type RawConnection,
  Setting,
} from "../../test/support/http2-frames.ts";
import { checkFields } from "../../test/support/wire.ts";
import { encodeMessage } from "./message-reader.ts";

const TWO_LOOKS_MS = 20_000;
const WATCH = "/grpc.health.v1.Health/Watch";
const REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

const { serve, close } = createGrpcBench();
const connections: RawConnection[] = [];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});
afterEach(async () => {
  for (const { socket } of connections.splice(0)) socket.destroy();
  await close();
  vi.useRealTimers();
});

async function connected(address: string, windowBytes = 65_535): Promise<RawConnection> {
  const connection = await http2Connection(address, {
    [Setting.INITIAL_WINDOW_SIZE]: windowBytes,
  });
  connections.push(connection);
  return connection;
}

/** Whether the server has reset the only call. */
const isReset = ({ frames }: RawConnection): boolean =>
  frames.some(({ type }) => type === FrameType.RST_STREAM);

const hasAnswer = ({ frames }: RawConnection): boolean =>
  frames.some(({ type }) => type === FrameType.HEADERS);

const empty = encodeMessage(Buffer.alloc(0));
const whole = encodeMessage(checkFields());
const listing = encodeMessage(Buffer.from([0x3a, 0]));

describe("a call that its peer leaves half done", () => {
  it.each([
    ["a request that never comes", CHECK, Buffer.alloc(0)],
    ["half a request", CHECK, whole.subarray(0, 9)],
    ["a request without an end", CHECK, whole],
    ["a watch that names no service", WATCH, empty.subarray(0, 3)],
    ["a reflection without a question", REFLECT, Buffer.alloc(0)],
  ])("is answered and reset: %s", async (_, path, bytes) => {
    const server = await serve();
    const connection = await connected(server.addresses[0]!);
    await connection.send(headersFrame(1, callBlock(path)), dataFrame(1, bytes));
    await vi.waitFor(() => expect(connection.frames.length).toBeGreaterThan(1));
    vi.advanceTimersByTime(TWO_LOOKS_MS);
    await expect.poll(() => hasAnswer(connection)).toBe(true);
    await expect.poll(() => isReset(connection)).toBe(true);
  });

  it.each([
    ["an answer", CHECK, whole, Flag.END_STREAM],
    ["a watch", WATCH, empty, 0],
    ["a reflection", REFLECT, Buffer.concat(new Array(9).fill(listing)), Flag.END_STREAM],
  ])("is reset when nobody reads: %s", async (_, path, bytes, flags) => {
    const server = await serve();
    const connection = await connected(server.addresses[0]!, 0);
    await connection.send(headersFrame(1, callBlock(path)), dataFrame(1, bytes, flags));
    await expect.poll(() => hasAnswer(connection)).toBe(true);
    expect(isReset(connection)).toBe(false);
    vi.advanceTimersByTime(TWO_LOOKS_MS);
    await expect.poll(() => isReset(connection)).toBe(true);
  });
});

describe("a call that waits for us", () => {
  it("is left alone, and so is a watch that is read", async () => {
    const gate = gatedPipeline();
    const server = await serve(gate.pipeline);
    const connection = await connected(server.addresses[0]!);
    await connection.send(headersFrame(1, callBlock(WATCH)), dataFrame(1, empty, Flag.END_STREAM));
    await expect.poll(() => hasAnswer(connection)).toBe(true);
    await connection.send(headersFrame(3, callBlock(CHECK)), dataFrame(3, whole, Flag.END_STREAM));
    await gate.waits(1);
    vi.advanceTimersByTime(3 * TWO_LOOKS_MS);
    gate.release();
    const answers = () => connection.frames.filter(({ stream }) => stream === 3).length;
    await expect.poll(answers).toBe(3);
    expect(isReset(connection)).toBe(false);
  });
});
