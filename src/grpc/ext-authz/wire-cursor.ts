import { WireType } from "@bufbuild/protobuf/wire";

/** Groups within messages, known or not, and messages within messages; as protobuf-es has it. */
export const WIRE_DEPTH_MAX = 100;

/** Reads protobuf's wire format from `pos` on, and throws an `Error` where a value goes past `end`. */
export class WireCursor {
  readonly bytes: Uint8Array;
  pos = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The low 32 bits of a varint, signed; one of more than 64 bits is refused. */
  varint(end: number): number {
    let value = 0;
    for (let at = 0; at < 10; at++) {
      if (this.pos >= end) throw new Error("ends elsewhere");
      const byte = this.bytes[this.pos++] as number;
      if (at < 5) value |= (byte & 0x7f) << (7 * at);
      if (byte < 0x80) {
        if (at === 9 && byte > 1) break;
        return value;
      }
    }
    throw new Error("varint of more than 64 bits");
  }

  /** A field's number, eight times, plus its wire type. */
  tag(end: number): number {
    const start = this.pos;
    const tag = this.varint(end) >>> 0;
    const length = this.pos - start;
    const isLong = length > 5 || (length === 5 && (this.bytes[this.pos - 1] as number) > 0x0f);
    if (isLong || tag < 8) throw new Error("tag that is none");
    return tag;
  }

  /** Reads a length, and says where what follows ends. */
  until(end: number): number {
    const start = this.pos;
    const until = (this.varint(end) >>> 0) + this.pos;
    // Of a longer one the bits above 32 were not looked at.
    if (this.pos - start > 5 || (this.pos - start === 5 && this.bytes[this.pos - 1]! > 0x0f)) {
      throw new Error("length of more than 32 bits");
    }
    if (until > end) throw new Error("ends elsewhere");
    return until;
  }

  /** Passes over a field behind its tag. */
  skip(tag: number, end: number, depth: number): void {
    switch (tag & 7) {
      case WireType.Varint:
        this.varint(end);
        return;
      case WireType.Bit64:
        this.move(8, end);
        return;
      case WireType.Bit32:
        this.move(4, end);
        return;
      case WireType.LengthDelimited:
        this.pos = this.until(end);
        return;
      case WireType.StartGroup: {
        if (depth > WIRE_DEPTH_MAX) throw new Error("nested too deep");
        const last = (tag & ~7) | WireType.EndGroup;
        for (;;) {
          const inner = this.tag(end);
          if (inner >>> 0 === last >>> 0) return;
          this.skip(inner, end, depth + 1);
        }
      }
    }
    throw new Error("wire type that is none");
  }

  /** Passes over so many bytes. */
  move(count: number, end: number): void {
    this.pos += count;
    if (this.pos > end) throw new Error("ends elsewhere");
  }
}
