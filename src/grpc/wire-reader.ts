import { isUtf8 } from "node:buffer";
import { PdpError } from "../decision/error.ts";
import { readShortText, SHORT_TEXT_BYTES_MAX } from "./short-texts.ts";

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

const PATH_PART_SHOWN_MAX = 64;
const PATH_PARTS_SHOWN_MAX = 12;

/**
 * Reads one encoded protobuf message, strictly: what is cut short, overlong, of another wire type
 * than declared, a group, or not UTF-8 is a `PdpError` `invalid-argument` that names the field.
 * Unknown fields are skipped. Of a scalar given twice the last one counts, as protobuf has it.
 *
 * `path` is where the reader is, for error texts alone: pushing a name costs nanoseconds, building
 * the text of a path for every field would cost more than reading it.
 */
export class WireReader {
  position = 0;
  /** End of the message being read. */
  end: number;
  readonly path: (string | number)[] = [];
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.byteLength;
  }

  /** Whether the message being read has another field. */
  more(): boolean {
    return this.position < this.end;
  }

  /** The next tag: field number shifted left by 3, plus the wire type. */
  tag(): number {
    const tag = this.#varint32();
    if (tag < 8) throw this.fault("has a field number that is 0");
    return tag;
  }

  /** Enters a message that no path shows, such as an entry of a map; for `close`. */
  open(): number {
    const length = this.#length();
    const outer = this.end;
    this.end = this.position + length;
    return outer;
  }

  close(outer: number): void {
    this.end = outer;
  }

  /** Enters the message in field `name`; hand the result to `leave`. */
  enter(name: string | number): number {
    this.path.push(name);
    return this.open();
  }

  leave(outer: number): void {
    this.end = outer;
    this.path.pop();
  }

  bool(name?: string): boolean {
    const { low, high } = this.#varint64(name);
    return low !== 0 || high !== 0;
  }

  /** A non-negative int64 that a number holds exactly. */
  count(name: string): number {
    const { low, high } = this.#varint64(name);
    if (high > 0x1fffff) throw this.fault("is not from 0 to 2^53 - 1", name);
    return high * 0x1_0000_0000 + low;
  }

  /** An int32, int64 or enum, negative ones included, that a number holds exactly. */
  integer(name: string): number {
    const { low, high } = this.#varint64(name);
    const value = (high | 0) * 0x1_0000_0000 + low;
    if (!Number.isSafeInteger(value)) throw this.fault("is not within ±(2^53 - 1)", name);
    return value;
  }

  /** Passes over an enum's value where which one it is says nothing. */
  skipEnum(): void {
    this.#varint64();
  }

  double(name?: string): number {
    if (this.position + 8 > this.end) throw this.fault("is cut short", name);
    const value = this.#bytes.readDoubleLE(this.position);
    this.position += 8;
    return value;
  }

  string(name?: string): string {
    const start = this.position;
    const byte = this.#bytes[start]!;
    // Most texts are shorter than 128 bytes, so that their length is one byte.
    let length = byte;
    if (start < this.end && byte < 0x80) this.position = start + 1;
    else length = this.#length(name);
    if (this.position + length > this.end) throw this.fault("is cut short", name);
    return this.#text(length, name);
  }

  /** The bytes of a field, in the memory of the message. */
  bytes(name: string): Buffer {
    const length = this.#length(name);
    const start = this.position;
    this.position = start + length;
    return this.#bytes.subarray(start, this.position);
  }

  /** The length of a field that is bytes or text, of which nothing is read. */
  peekLength(): number {
    const start = this.position;
    const length = this.#length();
    this.position = start;
    return length;
  }

  /** Skips the value of a field nobody knows. */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.#varint64();
        return;
      case FIXED64:
        this.#advance(8);
        return;
      case LENGTH_DELIMITED:
        this.#advance(this.#length());
        return;
      case FIXED32:
        this.#advance(4);
        return;
      default:
        throw this.fault("has a group or an unknown wire type, which this API never uses");
    }
  }

  /**
   * Skips an unknown field; refuses a field of numbers 1 to `known`, which is here only because its
   * wire type is not the declared one.
   */
  skipUnknown(tag: number, known: number): void {
    if (tag >>> 3 <= known) {
      throw this.fault(`has field number ${tag >>> 3} with the wrong wire type`);
    }
    this.skip(tag);
  }

  /** Refuses a message field that is given twice; merging would let one half hide the other. */
  once(earlier: unknown, name?: string): void {
    if (earlier !== undefined) throw this.fault("is given twice", name);
  }

  /** An error about the field `name` of where the reader is. */
  fault(problem: string, name?: string): PdpError {
    const field = pathText(name === undefined ? this.path : [...this.path, name]);
    return new PdpError("invalid-argument", `${field === "" ? "message" : field}: ${problem}`, {
      field,
    });
  }

  #advance(length: number): void {
    if (this.position + length > this.end) throw this.fault("is cut short");
    this.position += length;
  }

  #length(name?: string): number {
    const length = this.#varint32(name);
    if (this.position + length > this.end) throw this.fault("is cut short", name);
    return length;
  }

  /** A varint that fits 32 bits, as tags and lengths do. */
  #varint32(name?: string): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let index = 0; index < 5; index++) {
      if (this.position >= this.end) throw this.fault("is cut short", name);
      const byte = bytes[this.position++]!;
      if (index === 4 && byte > 0x0f) break;
      value |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return value >>> 0;
    }
    throw this.fault("has a tag or length of more than 32 bits", name);
  }

  #varint64(name?: string): { low: number; high: number } {
    let low = 0;
    let high = 0;
    for (let index = 0; index < 10; index++) {
      if (this.position >= this.end) throw this.fault("is cut short", name);
      const byte = this.#bytes[this.position++]!;
      const bits = byte & 0x7f;
      if (index < 4) low |= bits << (7 * index);
      else if (index === 4) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else if (index < 9) high |= bits << (7 * index - 32);
      else if (byte > 1) break;
      else high |= bits << 31;
      if (byte < 0x80) return { low: low >>> 0, high: high >>> 0 };
    }
    throw this.fault("is a varint of more than 64 bits", name);
  }

  #text(length: number, name: string | undefined): string {
    const bytes = this.#bytes;
    const start = this.position;
    const end = start + length;
    this.position = end;
    if (length <= SHORT_TEXT_BYTES_MAX) {
      const text = readShortText(bytes, start, end);
      if (text !== undefined) return text;
    }
    if (!isUtf8(bytes.subarray(start, end))) throw this.fault("is not well-formed UTF-8", name);
    return bytes.toString("utf8", start, end);
  }
}

/** `items[3].context.a`: the parts of a path as text of bounded length. */
function pathText(parts: readonly (string | number)[]): string {
  let text = "";
  for (const part of parts.slice(0, PATH_PARTS_SHOWN_MAX)) {
    if (typeof part === "number") text += `[${part}]`;
    else text += `${text === "" ? "" : "."}${shown(part)}`;
  }
  return parts.length > PATH_PARTS_SHOWN_MAX ? `${text}…` : text;
}

function shown(name: string): string {
  return name.length > PATH_PART_SHOWN_MAX
    ? `${name.slice(0, PATH_PART_SHOWN_MAX).toWellFormed()}…`
    : name;
}
