import { KiB } from "../base/sizes.ts";

const FIRST_CAPACITY_BYTES = 4 * KiB;
const KEPT_CAPACITY_BYTES = 64 * KiB;
const SHORT_TEXT_CHARS = 40;
/** A UTF-16 code unit never needs more UTF-8 bytes than this. */
const BYTES_PER_CHAR_MAX = 3;
const VARINT_BYTES_MAX = 10;

/**
 * Writes one protobuf message after another into a buffer of its own. Fields at their default are
 * left out, as proto3 does. Not reentrant: `finish` one message before starting the next.
 */
export class WireWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_CAPACITY_BYTES);
  #position = 0;

  /** Starts a message, dropping what an unfinished one left behind. */
  start(): void {
    this.#position = 0;
  }

  /** The message written since `start`, in memory of its own. */
  finish(): Uint8Array {
    const message = Buffer.allocUnsafe(this.#position);
    this.#bytes.copy(message, 0, 0, this.#position);
    // One huge answer must not hold its memory for the rest of the process's life.
    if (this.#bytes.length > KEPT_CAPACITY_BYTES) {
      this.#bytes = Buffer.allocUnsafeSlow(FIRST_CAPACITY_BYTES);
    }
    return message;
  }

  bool(field: number, value: boolean): void {
    if (value) this.kind(field, 1);
  }

  /** A bool or enum that is written even if 0, as the kind of a oneof is. */
  kind(field: number, value: 0 | 1): void {
    this.#reserve(2 * VARINT_BYTES_MAX);
    this.#varint(field << 3);
    this.#bytes[this.#position++] = value;
  }

  /** An int32 or int64 of 0 to 2^53 - 1. */
  count(field: number, value: number): void {
    if (value === 0) return;
    this.#reserve(2 * VARINT_BYTES_MAX);
    this.#varint(field << 3);
    this.#varint(value);
  }

  double(field: number, value: number): void {
    this.#reserve(2 * VARINT_BYTES_MAX);
    this.#varint((field << 3) | 1);
    this.#position = this.#bytes.writeDoubleLE(value, this.#position);
  }

  /** A field of type string; left out if empty. */
  string(field: number, value: string): void {
    if (value !== "") this.text(field, value);
  }

  /** A string that is written even if empty: in a oneof, or a `repeated` field. */
  text(field: number, value: string): void {
    this.#reserve(2 * VARINT_BYTES_MAX + value.length * BYTES_PER_CHAR_MAX);
    this.#varint((field << 3) | 2);
    if (value.length <= SHORT_TEXT_CHARS && this.#shortAscii(value)) return;
    this.#varint(Buffer.byteLength(value));
    this.#position += this.#bytes.write(value, this.#position);
  }

  /** Opens a nested message; hand the result to `close`. */
  open(field: number): number {
    this.#reserve(2 * VARINT_BYTES_MAX);
    this.#varint((field << 3) | 2);
    return ++this.#position;
  }

  /** Closes a nested message. Its length goes where `open` left a byte; longer ones move up. */
  close(start: number): void {
    const length = this.#position - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    this.#reserve(VARINT_BYTES_MAX);
    const extra = varintBytes(length) - 1;
    this.#bytes.copyWithin(start + extra, start, this.#position);
    this.#position = start - 1;
    this.#varint(length);
    this.#position += length;
  }

  #shortAscii(value: string): boolean {
    const bytes = this.#bytes;
    const start = this.#position + 1;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code >= 0x80) return false;
      bytes[start + index] = code;
    }
    bytes[start - 1] = value.length;
    this.#position = start + value.length;
    return true;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#position++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#position++] = rest;
  }

  #reserve(length: number): void {
    const needed = this.#position + length;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#position);
    this.#bytes = grown;
  }
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) count++;
  return count;
}
