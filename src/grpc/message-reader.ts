import { PdpError } from "../decision/error.ts";

/** A message as it came. */
export interface Message {
  readonly bytes: Buffer;
  /** By what the call's `grpc-encoding` names. */
  readonly isCompressed: boolean;
}

const PREFIX_BYTES = 5;
const nothing: Buffer = Buffer.alloc(0);

/**
 * Takes a call's bytes apart into messages (gRPC over HTTP/2, "Length-Prefixed-Message"): a flag, a
 * length of four bytes, the message. Frames may end anywhere. What is kept of an unfinished message
 * is at most twice what has come of it, in however small pieces.
 */
export class MessageReader {
  readonly #bytesMax: number;
  #buffer = nothing;
  #start = 0;
  #end = 0;
  /** Whether there is nothing of anybody else behind `#end`. */
  #isOwn = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether a message has begun and not ended. */
  get isInside(): boolean {
    return this.#start < this.#end;
  }

  push(chunk: Buffer): void {
    const kept = this.#end - this.#start;
    if (kept === 0) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#isOwn = false;
      return;
    }
    if (!this.#isOwn || this.#end + chunk.length > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(2 * (kept + chunk.length));
      this.#buffer.copy(grown, 0, this.#start, this.#end);
      this.#buffer = grown;
      this.#start = 0;
      this.#end = kept;
      this.#isOwn = true;
    }
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  /**
   * The next message that is whole. Throws `PdpError` `resource-exhausted` as soon as one is known
   * to be too large, and `internal` for a flag that the protocol does not have.
   */
  next(): Message | undefined {
    const left = this.#end - this.#start;
    if (left < PREFIX_BYTES) return undefined;
    const flag = this.#buffer[this.#start]!;
    if (flag > 1) throw new PdpError("internal", `a message begins with ${flag}; expected 0 or 1`);
    const size = this.#buffer.readUInt32BE(this.#start + 1);
    if (size > this.#bytesMax) throw tooLarge(this.#bytesMax);
    if (left < PREFIX_BYTES + size) return undefined;
    const from = this.#start + PREFIX_BYTES;
    this.#start = from + size;
    return { bytes: this.#buffer.subarray(from, from + size), isCompressed: flag === 1 };
  }
}

/** A request over the limit, before or after it was decompressed. */
export function tooLarge(bytesMax: number): PdpError {
  return new PdpError("resource-exhausted", `a message is larger than ${bytesMax} bytes`);
}

/** The message with its prefix, as it goes out. */
export function encodeMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}
