import { PdpError } from "../decision/error.ts";
import { type ByteBudget, FREE_BYTES } from "./byte-budget.ts";

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
 * is at most twice what has come of it, in however small pieces, and comes out of the budget.
 */
export class MessageReader {
  readonly #bytesMax: number;
  readonly #budget: ByteBudget;
  #taken = 0;
  #buffer = nothing;
  #start = 0;
  #end = 0;
  /** Whether there is nothing of anybody else behind `#end`. */
  #isOwn = false;

  constructor(bytesMax: number, budget: ByteBudget) {
    this.#bytesMax = bytesMax;
    this.#budget = budget;
  }

  /** Whether a message has begun and not ended. */
  get isInside(): boolean {
    return this.#start < this.#end;
  }

  /** Throws `PdpError` `resource-exhausted` when the budget has no room for it. */
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
      this.#keep(this.#roomFor(kept + chunk.length));
    }
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  /**
   * The next message that is whole. Throws `PdpError` `too-large` as soon as one is known to be, and
   * `internal` for a flag that the protocol does not have.
   */
  next(): Message | undefined {
    const left = this.#end - this.#start;
    if (left < PREFIX_BYTES) return this.#waitForMore();
    const flag = this.#buffer[this.#start]!;
    if (flag > 1) throw new PdpError("internal", `a message begins with ${flag}; expected 0 or 1`);
    const size = this.#buffer.readUInt32BE(this.#start + 1);
    if (size > this.#bytesMax) throw tooLarge(this.#bytesMax);
    if (left < PREFIX_BYTES + size) return this.#waitForMore();
    const from = this.#start + PREFIX_BYTES;
    this.#start = from + size;
    return { bytes: this.#buffer.subarray(from, from + size), isCompressed: flag === 1 };
  }

  /** Gives back to the budget; the messages are not used any more. */
  release(): void {
    if (this.#taken > 0) this.#budget.give(this.#taken);
    this.#taken = 0;
  }

  /** A chunk is part of all that was read at once: the little of it that is ours holds the whole. */
  #waitForMore(): undefined {
    const left = this.#end - this.#start;
    if (left > 0 && !this.#isOwn) this.#keep(this.#roomFor(left));
  }

  /** Twice as much, so that growing stays cheap, but not more than the message is long. */
  #roomFor(bytes: number): number {
    if (this.#end - this.#start < PREFIX_BYTES) return 2 * bytes;
    const whole = PREFIX_BYTES + this.#buffer.readUInt32BE(this.#start + 1);
    return Math.max(bytes, Math.min(2 * bytes, whole));
  }

  #keep(size: number): void {
    const takes = size > FREE_BYTES ? size - this.#taken : 0;
    if (takes > 0 && !this.#budget.take(takes)) {
      throw new PdpError("resource-exhausted", "too much of unfinished requests is waiting");
    }
    this.#taken += Math.max(takes, 0);
    const own = Buffer.allocUnsafe(size);
    this.#end = this.#buffer.copy(own, 0, this.#start, this.#end);
    this.#buffer = own;
    this.#start = 0;
    this.#isOwn = true;
  }
}

/** A request over the limit, before or after it was decompressed. */
export function tooLarge(bytesMax: number): PdpError {
  return new PdpError("too-large", `a message is larger than ${bytesMax} bytes`);
}

/** The message with its prefix, as it goes out. */
export function encodeMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}
