import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { ResultRefused } from "./guest-failure.ts";
import { GuestMemory } from "./guest-memory.ts";
import { InputWriter } from "./input-writer.ts";
import type { InputDocument } from "./policy.ts";
import { ValueType } from "./value-layout.ts";
import { RESULT_BYTES_MAX, ValueReader } from "./value-reader.ts";

const constants = { address: 8, bytes: 32 * 1024 };
const region = { address: 40_000, bytes: 200_000 };

let memory: GuestMemory;
let reader: ValueReader;

beforeEach(() => {
  memory = new GuestMemory(new WebAssembly.Memory({ initial: 4, maximum: 8 }));
  reader = new ValueReader(memory, 0);
});

function written(document: InputDocument): number {
  return new InputWriter(memory, constants).write(document, 0, region);
}

describe("ValueReader", () => {
  it("refuses addresses outside of memory", () => {
    for (const address of [-1, 4 * 65_536, 2 ** 31, 2 ** 32 - 1, Number.NaN]) {
      expect(() => reader.read(address)).toThrow(ResultRefused);
      expect(() => reader.readResult(address)).toThrow(ResultRefused);
    }
  });

  it("refuses strings and tables that reach beyond memory", () => {
    const address = written({ a: "text" });
    for (const word of [1, 3]) {
      const before = memory.words[(address >> 2) + word]!;
      memory.words[(address >> 2) + word] = 0x7fff_0000;
      expect(() => reader.read(address)).toThrow(ResultRefused);
      memory.words[(address >> 2) + word] = before;
    }
    expect(reader.read(address)).toEqual({ a: "text" });
  });

  it("refuses chains without an end and values inside themselves", () => {
    const chain = written({ a: 1 });
    const buckets = memory.words.subarray((chain + 16) >> 2, (chain + 16 + 32) >> 2);
    const member = buckets.find((bucket) => bucket !== 0)!;
    memory.words[(member >> 2) + 2] = member;
    expect(() => reader.read(chain)).toThrow(/no end/);
    memory.words[(member >> 2) + 2] = 0;
    memory.words[(member >> 2) + 1] = chain;
    expect(() => reader.read(chain)).toThrow(/deeper than 64/);
  });

  it("refuses a type that is none", () => {
    const address = written({ a: 1 });
    memory.words[address >> 2] = ValueType.internedBoolean + 1;
    expect(() => reader.read(address)).toThrow(/no value/);
  });

  it("refuses results past the limit without building them", () => {
    expect(() => reader.read(written({ a: "x".repeat(RESULT_BYTES_MAX) }))).toThrow(/larger/);
    const address = written({ a: [1] });
    // An array that says it has two billion elements, all of them within memory.
    const member = memory.words.subarray((address + 16) >> 2).find((bucket) => bucket !== 0)!;
    const array = memory.words[(member >> 2) + 1]!;
    memory.words[(array >> 2) + 2] = 0x7fff_ffff;
    expect(() => reader.read(address)).toThrow(ResultRefused);
  });

  it("throws nothing but refusals, whatever memory holds", () => {
    const bytes = fc.uint8Array({ minLength: 64, maxLength: 512 });
    fc.assert(
      fc.property(bytes, fc.array(fc.nat({ max: 9 }), { maxLength: 64 }), (content, types) => {
        memory.bytes.set(content, 1024);
        // Small type numbers and pointers near by make values that look sound for a while.
        for (const [index, type] of types.entries()) {
          memory.words[256 + index * 2] = type;
          memory.words[257 + index * 2] = 1024 + ((type * 56) % 256);
        }
        for (let address = 1024; address < 1100; address += 4) {
          try {
            reader.read(address);
          } catch (error) {
            expect(error).toBeInstanceOf(ResultRefused);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
