import type { GuestMemory } from "./guest-memory.ts";
import type { MemoryRegion } from "./prepared-policy.ts";
import { NumberRepr, ValueType } from "./value-layout.ts";

/** The region is full. */
export class NoRoom extends Error {
  constructor() {
    super("the region is full");
    this.name = "NoRoom";
  }
}

export const NUMBER_BYTES = 24;
export const STRING_BYTES = 12;
export const TABLE_BYTES = 16;

/** Longer ones are written by the encoder, whose call costs as much as this many turns. */
const SHORT_STRING_UNITS = 96;
const WORD = 0x1_0000_0000;
const INT64_MIN = -(1n << 63n);
const INT64_MAX = (1n << 63n) - 1n;

/**
 * Writes single values as the guest's structs (`value-layout.ts`), one after the other into a
 * region. Gives addresses, all multiples of 4. Throws `NoRoom`. No guest code may run between
 * `open` and the last write, since growth of memory would detach the views.
 */
export class StructWriter {
  readonly memory: GuestMemory;
  #next = 0;
  #end = 0;

  constructor(memory: GuestMemory) {
    this.memory = memory;
  }

  /** Where the next value goes. */
  get next(): number {
    return this.#next;
  }

  open(region: MemoryRegion): void {
    this.memory.refresh();
    this.#next = (region.address + 7) & ~7;
    this.#end = region.address + region.bytes;
  }

  reserve(bytes: number): number {
    const address = this.#next;
    this.#next = (address + bytes + 3) & ~3;
    if (this.#next > this.#end) throw new NoRoom();
    return address;
  }

  /** A value that is nothing but its first word. */
  scalar(word: number): number {
    const address = this.reserve(4);
    this.memory.words[address >> 2] = word;
    return address;
  }

  /** A finite number. */
  number(value: number): number {
    return Number.isSafeInteger(value) ? this.integer(value) : this.#numberText(String(value));
  }

  /** A safe integer. */
  integer(value: number): number {
    const high = Math.floor(value / WORD);
    return this.#int64(value - high * WORD, high);
  }

  bigint(value: bigint): number {
    if (value < INT64_MIN || value > INT64_MAX) return this.#numberText(value.toString());
    return this.#int64(Number(BigInt.asIntN(32, value)), Number(value >> 32n));
  }

  #int64(low: number, high: number): number {
    const address = this.reserve(NUMBER_BYTES);
    const { words } = this.memory;
    const at = address >> 2;
    words[at] = ValueType.number | (NumberRepr.integer << 8);
    words[at + 2] = low;
    words[at + 3] = high;
    return address;
  }

  #numberText(text: string): number {
    const address = this.reserve(NUMBER_BYTES + text.length);
    this.#writeAscii(text, address + NUMBER_BYTES);
    const { words } = this.memory;
    const at = address >> 2;
    words[at] = ValueType.number | (NumberRepr.text << 8);
    words[at + 2] = address + NUMBER_BYTES;
    words[at + 3] = text.length;
    words[at + 4] = 0;
    return address;
  }

  /** A well-formed string: its struct, and its bytes right after it. */
  string(text: string): number {
    const address = this.reserve(STRING_BYTES + text.length);
    let { length } = text;
    if (length > SHORT_STRING_UNITS || !this.#writeAscii(text, address + STRING_BYTES)) {
      const room = this.#end - address - STRING_BYTES;
      length = this.memory.writeText(text, address + STRING_BYTES, room);
      if (length < 0) throw new NoRoom();
      this.#next = (address + STRING_BYTES + length + 3) & ~3;
      if (this.#next > this.#end) throw new NoRoom();
    }
    const { words } = this.memory;
    const at = address >> 2;
    words[at] = ValueType.internedString;
    words[at + 1] = length;
    words[at + 2] = address + STRING_BYTES;
    return address;
  }

  /** False if the text isn't ASCII. */
  #writeAscii(text: string, address: number): boolean {
    const { bytes } = this.memory;
    const { length } = text;
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) return false;
      bytes[address + index] = unit;
    }
    return true;
  }

  /** The struct of an array or object, with `words` zeroed words right after it. */
  table(type: number, words: number): number {
    const address = this.reserve(TABLE_BYTES + 4 * words);
    const at = address >> 2;
    const memory = this.memory.words;
    memory[at] = type;
    memory[at + 1] = address + TABLE_BYTES;
    memory[at + 2] = 0;
    memory[at + 3] = 0;
    // A loop, since calling `fill` costs as much as forty turns.
    const end = at + TABLE_BYTES / 4 + words;
    for (let word = at + TABLE_BYTES / 4; word < end; word += 1) memory[word] = 0;
    return address;
  }
}
