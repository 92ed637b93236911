import { describe, expect, it } from "vitest";
import { GuestMemory } from "./guest-memory.ts";
import { GuestVariables } from "./guest-variables.ts";

const PAGE_BYTES = 65_536;

describe("GuestVariables", () => {
  /** Two pages, of which the guest holds the size at 8; at 4 and 12 are other variables. */
  function memoryOfGuest() {
    const memory = new GuestMemory(new WebAssembly.Memory({ initial: 2, maximum: 9 }));
    memory.words.set([1, 2, 2 * PAGE_BYTES, 4, 5]);
    return { memory, variables: new GuestVariables(memory, memory.bytes.slice(0, 16)) };
  }

  it("are put back, and nothing beyond them", () => {
    const { memory, variables } = memoryOfGuest();
    memory.words.set([7, 7, 2 * PAGE_BYTES, 7, 7]);
    variables.restore();
    expect([...memory.words.subarray(0, 5)]).toEqual([1, 2, 2 * PAGE_BYTES, 4, 7]);
  });

  it("know the size of a memory that has grown", () => {
    const { memory, variables } = memoryOfGuest();
    memory.memory.grow(3);
    memory.refresh();
    memory.words.set([7, 7, 5 * PAGE_BYTES, 5 * PAGE_BYTES]);
    variables.restore();
    expect([...memory.words.subarray(0, 4)]).toEqual([1, 2, 5 * PAGE_BYTES, 4]);
  });
});
