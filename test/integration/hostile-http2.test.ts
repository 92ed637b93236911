// Frames made by hand, against the real process: the offender ends or stays harmless, others go on.
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../src/base/sizes.ts";
import { encodeMessage } from "../../src/grpc/message-reader.ts";
import { type HostileServer, methods, startHostileServer } from "../support/hostile-server.ts";
import {
  callBlock,
  dataFrame,
  Flag,
  FrameType,
  frame,
  headerBlock,
  headersFrame,
  http2Connection,
  numberFrame,
  PREFACE,
  type RawConnection,
  rawConnection,
  Setting,
  settings,
} from "../support/http2-frames.ts";
import { checkFields, field, message } from "../support/wire.ts";

const { DATA, HEADERS, PRIORITY, RST_STREAM, PING, WINDOW_UPDATE, CONTINUATION } = FrameType;
const CANCEL = 8;
const FLOOD_MS = 5_000;
const HELD_BYTES_MAX = 4 * MiB;

let server: HostileServer;
const connections: RawConnection[] = [];
beforeAll(async () => {
  server = await startHostileServer(({ folder }) => {
    const path = join(folder, "examples/quickstart.yaml");
    const config = readFileSync(path, "utf8");
    writeFileSync(path, config.replace("grpc:", `grpc:\n  held_bytes_max: ${HELD_BYTES_MAX}`));
  });
});
afterEach(async () => {
  for (const { socket } of connections.splice(0)) socket.destroy();
  await server.expectUnharmed();
});
afterAll(() => server.close());

async function connected(values: Readonly<Record<number, number>> = {}): Promise<RawConnection> {
  const connection = await http2Connection(server.process.address, values);
  connections.push(connection);
  return connection;
}

const call = callBlock(methods.check);
const question = encodeMessage(checkFields());
const many = (count: number, bytes: Uint8Array): Buffer =>
  Buffer.concat(new Array<Uint8Array>(count).fill(bytes));

/** Frames of call after call, 200 at a time. */
function calls(framesOf: (id: number) => readonly Uint8Array[]): () => Buffer {
  let id = -1;
  return () => {
    const ids = Array.from({ length: 200 }, () => (id += 2));
    return Buffer.concat(ids.flatMap(framesOf));
  };
}

describe("a flood", () => {
  const open = headersFrame(1, call);
  const begun = frame({ type: HEADERS, stream: 1, payload: call });
  const more = headerBlock({ "x-more": "a".repeat(100) });
  it.each<[string, Uint8Array, () => Uint8Array]>([
    ["PING", settings(), () => many(1_000, frame({ type: PING, payload: Buffer.alloc(8) }))],
    ["SETTINGS", settings(), () => many(1_000, settings({ [Setting.INITIAL_WINDOW_SIZE]: 9 }))],
    [
      "PRIORITY",
      settings(),
      () =>
        many(1_000, frame({ type: PRIORITY, stream: 1, payload: Buffer.from([0, 0, 0, 3, 1]) })),
    ],
    ["empty DATA", open, () => many(1_000, dataFrame(1, Buffer.alloc(0)))],
    [
      "CONTINUATION",
      begun,
      () => many(50, frame({ type: CONTINUATION, stream: 1, payload: more })),
    ],
    [
      "unknown frames",
      settings(),
      () => many(500, frame({ type: 0x77, payload: Buffer.alloc(50) })),
    ],
    [
      "resets",
      settings(),
      calls((id) => [headersFrame(id, call), numberFrame(RST_STREAM, id, CANCEL)]),
    ],
    [
      "resets of whole calls",
      settings(),
      calls((id) => [
        headersFrame(id, call),
        dataFrame(id, question, Flag.END_STREAM),
        numberFrame(RST_STREAM, id, CANCEL),
      ]),
    ],
    [
      "resets that the server is made to send",
      settings(),
      calls((id) => [
        headersFrame(id, call),
        dataFrame(id, question, Flag.END_STREAM),
        numberFrame(WINDOW_UPDATE, id, 0),
      ]),
    ],
    ["calls over the limit", settings(), calls((id) => [headersFrame(id, call)])],
  ])("of %s ends its connection", async (_, first, next) => {
    const connection = await connected();
    await connection.send(first);
    await connection.flood(FLOOD_MS, next);
    expect(connection.isClosed).toBe(true);
  });

  it("of headers that one byte stands for is refused", async () => {
    const connection = await connected();
    const remembered = headerBlock({ "x-more": "a" });
    remembered[0] = 0x40;
    const references = Buffer.alloc(110, 0x80 | 62);
    await connection.send(headersFrame(1, Buffer.concat([call, remembered])));
    await connection.send(headersFrame(3, Buffer.concat([call, references])));
    await expect
      .poll(() => connection.frames.some(({ type, stream }) => type === RST_STREAM && stream === 3))
      .toBe(true);
  });
});

describe("a connection on which nothing is said", () => {
  it("is closed, also after half a preface, or a preface without SETTINGS", async () => {
    const beginnings = [Buffer.alloc(0), PREFACE.subarray(0, 12), PREFACE];
    const opened = await Promise.all(
      beginnings.map(async (bytes) => {
        const connection = await rawConnection(server.process.address);
        connections.push(connection);
        await connection.send(bytes);
        return connection;
      }),
    );
    await Promise.all(opened.map(({ socket }) => once(socket, "close")));
  });
});

describe("what calls hold", () => {
  it("is bounded on a connection with 250 unfinished requests", async () => {
    const connection = await connected();
    const half = encodeMessage(Buffer.alloc(1_000_000)).subarray(0, 500_000);
    for (let id = 1; id < 500; id += 2) {
      await connection.send(headersFrame(id, call));
      for (let at = 0; at < half.length; at += 16_384) {
        await connection.send(dataFrame(id, half.subarray(at, at + 16_384)));
      }
    }
    await expect.poll(() => refusals(connection), { timeout: 10_000 }).toBeGreaterThan(200);
    const small = encodeMessage(checkFields());
    const other = await connected();
    await other.send(headersFrame(1, call), dataFrame(1, small.subarray(0, 9)));
    await other.send(dataFrame(1, small.subarray(9), Flag.END_STREAM));
    await expect.poll(() => other.frames.some(({ type }) => type === DATA)).toBe(true);
  });

  it("is given back when the connection ends without a word", async () => {
    const batch = encodeMessage(message(field(1, checkFields()), many(300, field(2, []))));
    const path = callBlock(methods.checkBatch);
    const { answer } = await server.send(methods.checkBatch, batch.subarray(5));
    const answerBytes = answer!.length;
    expect(30 * answerBytes).toBeLessThan(HELD_BYTES_MAX / 2);
    let heldBytes = 0;
    while (heldBytes <= 2 * HELD_BYTES_MAX) {
      const connection = await connected({ [Setting.INITIAL_WINDOW_SIZE]: 0 });
      for (let id = 1; id < 60; id += 2) {
        await connection.send(headersFrame(id, path), dataFrame(id, batch, Flag.END_STREAM));
      }
      await expect.poll(() => answered(connection), { timeout: 10_000 }).toBe(30);
      expect(refusals(connection)).toBe(0);
      heldBytes += 30 * answerBytes;
      connection.socket.resetAndDestroy();
    }
  });
});

/** Calls that have got headers. */
function answered({ frames }: RawConnection): number {
  return frames.filter(({ type }) => type === HEADERS).length;
}

/** Calls that have got nothing but a status. */
function refusals({ frames }: RawConnection): number {
  const isLast = (flags: number): boolean => (flags & Flag.END_STREAM) !== 0;
  return frames.filter(({ type, flags }) => type === HEADERS && isLast(flags)).length;
}
