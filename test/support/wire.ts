/** Hand-made protobuf, for messages that no encoder would write. */

/** A varint of up to 64 bits. */
export function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

/** A length-delimited field: a message, or a text given as UTF-8 or as raw bytes. */
export function field(number: number, content: string | Uint8Array | readonly number[]): Buffer {
  const bytes = typeof content === "string" ? Buffer.from(content) : Buffer.from(content);
  return Buffer.concat([
    Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]),
    bytes,
  ]);
}

/** One message of several fields. */
export function message(...fields: readonly Uint8Array[]): Buffer {
  return Buffer.concat(fields);
}

/** A `Struct` whose one member is objects in objects, `depth` of them, the outermost counted. */
export function nestedStruct(depth: number): Buffer {
  // The key comes first, so each level only adds bytes before the next: linear in `depth`.
  const levels: Buffer[] = [];
  let length = 0;
  for (let level = 1; level < depth; level++) {
    const struct = [...varint((5 << 3) | 2), ...varint(length)];
    const value = [...varint((2 << 3) | 2), ...varint(struct.length + length)];
    const entry = [...field(1, "a"), ...value, ...struct];
    const start = Buffer.from([
      ...varint((1 << 3) | 2),
      ...varint(entry.length + length),
      ...entry,
    ]);
    levels.push(start);
    length += start.length;
  }
  return Buffer.concat(levels.reverse());
}

/** A `CheckRequest` that is valid, in the fields of the proto, without those in `without`. */
export function checkFields(without: readonly number[] = []): Buffer {
  const fields: [number, Buffer][] = [
    [2, field(2, field(2, "user-123"))],
    [3, field(3, field(1, "execute"))],
    [4, field(4, message(field(1, "agent"), field(2, "agent-7")))],
  ];
  return message(...fields.filter(([number]) => !without.includes(number)).map(([, b]) => b));
}
