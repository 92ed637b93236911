import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as after } from "node:timers/promises";

/** Types of frames (RFC 9113 §6). */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags of frames; ACK of SETTINGS and PING has the bit of END_STREAM. */
export const Flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8 } as const;

/** Settings by their numbers (RFC 9113 §6.5.2). */
export const Setting = { HEADER_TABLE_SIZE: 1, INITIAL_WINDOW_SIZE: 4 } as const;

/** What a client says first, before its SETTINGS. */
export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** What a frame is made of. */
export interface FrameParts {
  readonly type: number;
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Uint8Array;
}

/** A frame as it stands on the wire, whether the protocol allows it or not. */
export function frame({ type, flags = 0, stream = 0, payload }: FrameParts): Buffer {
  const size = payload?.length ?? 0;
  const bytes = Buffer.alloc(9 + size);
  bytes.writeUIntBE(size, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  if (payload !== undefined) bytes.set(payload, 9);
  return bytes;
}

/** SETTINGS with these values. */
export function settings(values: Readonly<Record<number, number>> = {}): Buffer {
  const payload = Object.entries(values).map(([id, value]) => {
    const entry = Buffer.alloc(6);
    entry.writeUInt16BE(Number(id));
    entry.writeUInt32BE(value, 2);
    return entry;
  });
  return frame({ type: FrameType.SETTINGS, payload: Buffer.concat(payload) });
}

/** A frame whose payload is one number: RST_STREAM, WINDOW_UPDATE. */
export function numberFrame(type: number, stream: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return frame({ type, stream, payload });
}

/** A header block of literals that no table remembers (RFC 7541 §6.2.2), without Huffman codes. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const fields = Object.entries(headers).map(([name, value]) =>
    Buffer.concat([Buffer.from([0]), hpackText(name), hpackText(value)]),
  );
  return Buffer.concat(fields);
}

/** The header block of a gRPC call to `path`. */
export function callBlock(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  return headerBlock({
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  });
}

/** HEADERS with a whole block; `flags` besides END_HEADERS. */
export function headersFrame(stream: number, block: Uint8Array, flags = 0): Buffer {
  const all = flags | Flag.END_HEADERS;
  return frame({ type: FrameType.HEADERS, flags: all, stream, payload: block });
}

/** DATA with these bytes. */
export function dataFrame(stream: number, payload: Uint8Array, flags = 0): Buffer {
  return frame({ type: FrameType.DATA, flags, stream, payload });
}

function hpackText(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const size: number[] = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>>= 7) size.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...size, rest]), bytes]);
}

/** A frame that came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Takes bytes apart into frames; what is left of the last one waits for more. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Frame[] {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const end = 9 + bytes.readUIntBE(0, 3);
      frames.push({
        type: bytes[3]!,
        flags: bytes[4]!,
        stream: bytes.readUInt32BE(5) & 0x7fffffff,
        payload: bytes.subarray(9, end),
      });
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
    return frames;
  }
}

/** A connection on which anything can be said. */
export interface RawConnection {
  readonly socket: Socket;
  /** Frames that came, except those of flow control. */
  readonly frames: readonly Frame[];
  readonly isClosed: boolean;
  /** Resolves when all of it is with the kernel, or the connection has ended. */
  send(...bytes: readonly Uint8Array[]): Promise<void>;
  /** Sends it again and again until the server ends the connection, for `ms` at most. */
  flood(ms: number, next: () => Uint8Array): Promise<void>;
}

/** Connects to `host:port`; does not even send the preface. */
export async function rawConnection(address: string): Promise<RawConnection> {
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host);
  const frames: Frame[] = [];
  const reader = new FrameReader();
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    for (const got of reader.push(chunk)) {
      if (got.type !== FrameType.WINDOW_UPDATE) frames.push(got);
    }
  });
  await once(socket, "connect");
  const send: RawConnection["send"] = (...bytes) =>
    new Promise((resolve) => {
      // Also called, with an error, when the connection ends.
      socket.write(Buffer.concat(bytes), () => resolve());
    });
  return {
    socket,
    frames,
    get isClosed() {
      return socket.closed;
    },
    send,
    flood: async (ms, next) => {
      const endMs = performance.now() + ms;
      while (!socket.closed && performance.now() < endMs) {
        await Promise.race([send(next()), after(100)]);
        // What comes meanwhile is read, the end of the connection too.
        await after(0);
      }
    },
  };
}

/** Connects, and says what a client has to say first. */
export async function http2Connection(
  address: string,
  values: Readonly<Record<number, number>> = {},
): Promise<RawConnection> {
  const connection = await rawConnection(address);
  await connection.send(PREFACE, settings(values));
  return connection;
}
