/** Reads the parts that WebAssembly modules are made of. Throws `RangeError` past the end. */
export interface ByteReader {
  readonly offset: number;
  readonly isAtEnd: boolean;
  /** One byte. */
  byte(): number;
  /** An unsigned LEB128 of 32 bits (WebAssembly core specification §5.2.2). */
  u32(): number;
  /** A signed LEB128 of 32 bits. */
  s32(): number;
  /** The next `length` bytes, not copied. */
  take(length: number): Uint8Array<ArrayBuffer>;
}

/** A reader over all of `bytes`. */
export function byteReader(bytes: Uint8Array<ArrayBuffer>): ByteReader {
  let offset = 0;
  const byte = (): number => {
    const value = bytes[offset];
    if (value === undefined) throw new RangeError("the module ends too early");
    offset += 1;
    return value;
  };
  /** The value's low 32 bits, and how many bits the encoding gave. */
  const leb = (): { value: number; bits: number; last: number } => {
    let value = 0;
    for (let bits = 7; bits <= 35; bits += 7) {
      const last = byte();
      value |= (last & 0x7f) << (bits - 7);
      if ((last & 0x80) === 0) return { value, bits, last };
    }
    throw new RangeError("a number of the module is longer than 32 bits");
  };
  return {
    get offset() {
      return offset;
    },
    get isAtEnd() {
      return offset === bytes.length;
    },
    byte,
    u32: () => leb().value >>> 0,
    s32: () => {
      const { value, bits, last } = leb();
      return bits < 32 && (last & 0x40) !== 0 ? value | (-1 << bits) : value;
    },
    take: (length) => {
      if (length > bytes.length - offset) throw new RangeError("the module ends too early");
      offset += length;
      return bytes.subarray(offset - length, offset);
    },
  };
}

/** The unsigned LEB128 of `value`. */
export function encodeU32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}
