import { InputRefused } from "./guest-failure.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { MemoryRegion } from "./prepared-policy.ts";
import { BUCKETS_MIN, LOAD_FACTOR, NumberRepr, ValueType } from "./value-layout.ts";

/** The region is full. Not an `Error`, like all that ends the work on an input. */
export class NoRoom {}

export const NUMBER_BYTES = 24;
export const STRING_BYTES = 12;
export const TABLE_BYTES = 16;
const MEMBER_BYTES = 12;
export const MEMBER_VALUE_WORD = 1;
const MEMBER_NEXT_WORD = 2;
/** Most members of a bucket passed for a new one. Where names weren't chosen for it, ten are never there. */
const CHAIN_MAX = 64;

/** A member's name in memory. */
export interface MemberName {
  readonly address: number;
  readonly hash: number;
}

/** Longer ones are written by the encoder, whose call costs as much as this many turns. */
const SHORT_STRING_UNITS = 96;

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
    return value === (value | 0) ? this.int32(value) : this.numberText(String(value));
  }

  /**
   * A small integer. Larger ones are text: the guest's arithmetic takes no more than 32 bits of an
   * integer (OPA `wasm/src/mpd.c`, which prints the rest with `%d`).
   */
  int32(value: number): number {
    const address = this.reserve(NUMBER_BYTES);
    const { words } = this.memory;
    const at = address >> 2;
    words[at] = ValueType.number | (NumberRepr.integer << 8);
    words[at + 2] = value;
    words[at + 3] = value < 0 ? -1 : 0;
    return address;
  }

  /** A number by its JSON text. */
  numberText(text: string): number {
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

  /** A string: its struct, and its bytes right after it. Throws `InputRefused` if ill-formed. */
  string(text: string): number {
    const address = this.reserve(STRING_BYTES + text.length);
    let { length } = text;
    if (length > SHORT_STRING_UNITS || !this.#writeAscii(text, address + STRING_BYTES)) {
      if (!text.isWellFormed()) throw new InputRefused("the input contains a lone surrogate");
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

  /** Orders two strings that this writer, or one of its kind, has written, as the guest does. */
  compareStrings(a: number, b: number): number {
    const { bytes, words } = this.memory;
    const aLength = words[(a >> 2) + 1]!;
    const bLength = words[(b >> 2) + 1]!;
    const shared = Math.min(aLength, bLength);
    for (let index = 0; index < shared; index += 1) {
      const difference = bytes[a + STRING_BYTES + index]! - bytes[b + STRING_BYTES + index]!;
      if (difference !== 0) return difference;
    }
    return aLength - bLength;
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

  /** The struct of an object with room for `members`, none of them there yet. */
  object(members: number): number {
    let bucketCount = BUCKETS_MIN;
    while (members > bucketCount * LOAD_FACTOR) bucketCount *= 2;
    const address = this.table(ValueType.object, bucketCount);
    this.memory.words[(address >> 2) + 2] = bucketCount;
    return address;
  }

  /**
   * Puts a member into its bucket, whose members the guest keeps in the order of names. Throws `InputRefused`
   * for names that are in one bucket by the dozen: a client can choose them so, and 16,000 take a second.
   */
  addMember(object: number, name: MemberName, value: number): number {
    const element = this.reserve(MEMBER_BYTES);
    const { words } = this.memory;
    const header = object >> 2;
    // The number of buckets is a power of two.
    let link = header + TABLE_BYTES / 4 + (name.hash & (words[header + 2]! - 1));
    let passed = 0;
    while (words[link] !== 0 && this.compareStrings(words[words[link]! >> 2]!, name.address) < 0) {
      link = (words[link]! >> 2) + MEMBER_NEXT_WORD;
      passed += 1;
      if (passed > CHAIN_MAX) throw new InputRefused("the input has too many names of one hash");
    }
    const at = element >> 2;
    words[at] = name.address;
    words[at + MEMBER_VALUE_WORD] = value;
    words[at + MEMBER_NEXT_WORD] = words[link]!;
    words[link] = element;
    words[header + 3]! += 1;
    return element;
  }
}
