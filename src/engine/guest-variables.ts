import type { GuestMemory } from "./guest-memory.ts";

const WORD_BYTES = 4;

/**
 * What the guest keeps below its heap: constants, and variables of the runtime and its libraries. A
 * guest that is stopped in the middle of changing some of them leaves them half changed.
 */
export class GuestVariables {
  readonly #memory: GuestMemory;
  readonly #start: Uint8Array<ArrayBuffer>;
  /** Where the guest may hold the size of its memory, which it has to know after growing. */
  readonly #sizeAddresses: readonly number[];

  /** `start`: what they were once the policy was ready; the memory has the size that it had then. */
  constructor(memory: GuestMemory, start: Uint8Array<ArrayBuffer>) {
    this.#memory = memory;
    this.#start = start;
    const addresses: number[] = [];
    for (let at = 0; at + WORD_BYTES <= start.length; at += WORD_BYTES) {
      if (memory.wordAt(at) === memory.bytes.length) addresses.push(at);
    }
    this.#sizeAddresses = addresses;
  }

  /** Puts them back as they were, but for the size of memory, which never shrinks. */
  restore(): void {
    const memory = this.#memory;
    memory.refresh();
    const sizes = this.#sizeAddresses.map((at) => memory.wordAt(at));
    memory.bytes.set(this.#start);
    this.#sizeAddresses.forEach((at, index) => {
      if (sizes[index] === memory.bytes.length) memory.words[at / WORD_BYTES] = memory.bytes.length;
    });
  }
}
