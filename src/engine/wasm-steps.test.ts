import { describe, expect, it } from "vitest";
import { withStepsCounted } from "./wasm-steps.ts";

const COUNTER = 3;
/** `if (--counter < 0) unreachable`, of global 3. */
const STEP = [
  ...[0x23, 3, 0x42, 1, 0x7d, 0x24, 3],
  ...[0x23, 3, 0x42, 0, 0x53, 0x04, 0x40, 0x00, 0x0b],
];
const NO_LOCALS = [0];
const END = 0x0b;

function counted(...body: number[]): number[] {
  return withStepsCounted(Uint8Array.from(body), COUNTER).flatMap((piece) => [...piece]);
}

describe("withStepsCounted()", () => {
  it("counts turns of a loop where they begin", () => {
    const loop = [0x03, 0x40];
    const again = [0x41, 0x00, 0x0d, 0x00];
    expect(counted(...NO_LOCALS, ...loop, ...again, END, END)).toEqual([
      ...[...NO_LOCALS, ...loop],
      ...[...STEP, ...again, END, END],
    ]);
  });

  it("counts a function that calls others where it begins", () => {
    const locals = [1, 2, 0x7f];
    for (const call of [
      [0x10, 5],
      [0x11, 1, 0],
    ]) {
      expect(counted(...locals, ...call, END)).toEqual([...locals, ...STEP, ...call, END]);
    }
  });

  it("leaves a function as it is that does neither", () => {
    // What looks like a loop are a constant, an address, and a number of many bytes.
    const constants = [0x41, 0x03, 0x1a, 0x41, 0x00, 0x28, 0x02, 0x03, 0x1a];
    const long = [0x42, 0x83, 0x83, 0x83, 0x03, 0x1a];
    const floats = [0x43, 3, 3, 3, 3, 0x1a, 0x44, 3, 3, 3, 3, 3, 3, 3, 3, 0x1a];
    const table = [0x02, 0x40, 0x41, 0x00, 0x0e, 0x02, 0x00, 0x00, 0x00, END];
    const memory = [0xfc, 0x0a, 0x00, 0x00, 0xfc, 0x00];
    const body = [...NO_LOCALS, ...constants, ...long, ...floats, ...table, ...memory, END];
    expect(counted(...body)).toEqual(body);
  });

  it.each([
    { shown: "0xfd", code: [0xfd] },
    { shown: "0xd0", code: [0xd0] },
    { shown: "0xfc", code: [0xfc, 0x0c] },
  ])("refuses an instruction that it can't read: $shown", ({ shown, code }) => {
    expect(() => counted(...NO_LOCALS, ...code, END)).toThrow(
      new RangeError(`it has the instruction ${shown}, which is not known`),
    );
  });

  it.each([
    ["a local", [1, 1, 0x63, 0x41]],
    ["a block", [0, 0x02, 0x63, 0x41]],
    ["a selection", [0, 0x1c, 1, 0x64, 0x41]],
  ])("refuses a type of more than a byte, behind which a loop would be a number: %s", (_, code) => {
    expect(() => counted(...code, 0x03, 0x40, 0x0c, 0, END, END)).toThrow(
      /it has the type 0x6[34]/,
    );
  });

  it("refuses a load with the number of a memory, which would be its offset", () => {
    const load = [0x41, 0, 0x2d, 0x40, 0, 0x41];
    expect(() => counted(...NO_LOCALS, ...load, 0x03, 0x40, 0x0c, 0, END, END)).toThrow(
      "it names a memory",
    );
  });

  it("refuses a function that ends too early", () => {
    expect(() => counted(...NO_LOCALS, 0x41)).toThrow(RangeError);
    expect(() => counted(5, 1)).toThrow(RangeError);
  });
});
