import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteBudget } from "./byte-budget.ts";
import { encodeMessage, MessageReader } from "./message-reader.ts";

const plenty = new ByteBudget(Number.POSITIVE_INFINITY);

function readAll(reader: MessageReader, chunks: readonly Buffer[]): string[] {
  const read: string[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      read.push(`${next.isCompressed}:${next.bytes.toString("latin1")}`);
    }
  }
  return read;
}

/** Cuts bytes at these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort(
    (a, b) => a - b,
  );
  const ends = [...sorted, bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

describe("MessageReader", () => {
  it("reads the same messages wherever frames end", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "binary-ascii", maxLength: 40 }), { maxLength: 6 }),
        fc.array(fc.nat(300), { maxLength: 30 }),
        (texts, places) => {
          const bytes = Buffer.concat(texts.map((text) => encodeMessage(Buffer.from(text))));
          const reader = new MessageReader(40, plenty);
          expect(readAll(reader, cut(bytes, places))).toEqual(texts.map((text) => `false:${text}`));
          expect(reader.isInside).toBe(false);
        },
      ),
    );
  });

  it("refuses a message that is too large before any of it is there", () => {
    const reader = new MessageReader(10, plenty);
    reader.push(Buffer.from([0, 0, 0, 0, 11]));
    expect(() => reader.next()).toThrow("larger than 10 bytes");
    const longest = new MessageReader(10, plenty);
    longest.push(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
    expect(() => longest.next()).toThrow("larger than 10 bytes");
  });

  it("refuses a flag that the protocol does not have", () => {
    const reader = new MessageReader(10, plenty);
    reader.push(Buffer.from([2, 0, 0, 0, 0]));
    expect(() => reader.next()).toThrow("expected 0 or 1");
  });

  it("tells compressed messages, and one that has not ended", () => {
    const reader = new MessageReader(10, plenty);
    expect(readAll(reader, [Buffer.from([1, 0, 0, 0, 1, 0x61])])).toEqual(["true:a"]);
    reader.push(Buffer.from([0, 0, 0]));
    expect([reader.next(), reader.isInside]).toEqual([undefined, true]);
  });

  it("leaves a message alone that it has given away", () => {
    const reader = new MessageReader(10, plenty);
    const [first, second] = [Buffer.from("aaaa"), Buffer.from("bbbb")].map(encodeMessage);
    reader.push(first!.subarray(0, 3));
    reader.push(Buffer.concat([first!.subarray(3), second!.subarray(0, 6)]));
    const given = reader.next()!.bytes;
    reader.push(second!.subarray(6));
    reader.push(Buffer.alloc(64, 0x63));
    expect(given.toString()).toBe("aaaa");
  });

  it("keeps little of an unfinished message without asking, and more while there is room", () => {
    const budget = new ByteBudget(100_000);
    const begin = (bytes: number): MessageReader => {
      const reader = new MessageReader(60_000, budget);
      reader.push(encodeMessage(Buffer.alloc(60_000)).subarray(0, bytes));
      reader.next();
      return reader;
    };
    const large = begin(40_000);
    expect(() => begin(40_000)).toThrow("unfinished");
    begin(2_000);
    large.release();
    large.release();
    begin(40_000);
    expect(() => begin(40_000)).toThrow("unfinished");
  });

  it("lets go of what came in one read with a part of a message", () => {
    const reader = new MessageReader(100, plenty);
    const read = Buffer.alloc(65_536);
    const first = encodeMessage(Buffer.from("abc"));
    first.copy(read, 1_000);
    reader.push(read.subarray(1_000, 1_003));
    expect(reader.next()).toBeUndefined();
    read.fill(0xff);
    reader.push(first.subarray(3));
    expect(reader.next()!.bytes.toString()).toBe("abc");
  });
});
