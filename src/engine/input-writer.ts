import { KiB } from "../base/sizes.ts";
import { InputRefused } from "./guest-failure.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { MemberNames } from "./member-names.ts";
import type { InputDocument, InputValue } from "./policy.ts";
import type { MemoryRegion } from "./prepared-policy.ts";
import { NUMBER_BYTES, StructWriter, TABLE_BYTES } from "./struct-writer.ts";
import { BUCKETS_MIN, LOAD_FACTOR, ValueType } from "./value-layout.ts";

/**
 * Largest input: as text, its bytes; as an object, counted as the characters of its strings and
 * names, and 8 for each value.
 */
export const INPUT_BYTES_MAX = 256 * KiB;
/** Deepest input. */
export const INPUT_DEPTH_MAX = 64;
/** Room for the largest input: an empty object takes eleven times the bytes it counts for. */
export const INPUT_ROOM_MAX = 12 * INPUT_BYTES_MAX;
/** Room for what every input is built of. */
export const INPUT_CONSTANTS_BYTES = 32 * KiB;

const BYTES_PER_VALUE = 8;
const MEMBER_BYTES = 12;
const MEMBER_NEXT_WORD = 2;
/** Index values of array elements that are made once. */
const SHARED_INDICES = 64;

/**
 * Writes inputs as the structs that the guest would parse their text into. Stringifying, encoding
 * and parsing cost 9 µs for an input of 650 bytes, writing it costs 2: names of members are
 * written and hashed once, and no character is looked at four times. It is also the gate: nothing
 * gets through that is too large, too deep, or not well-formed.
 *
 * What is written is never freed or changed by the guest, which treats its input as shared.
 */
export class InputWriter {
  readonly #structs: StructWriter;
  readonly #names: MemberNames;
  readonly #null: number;
  readonly #true: number;
  readonly #false: number;
  readonly #indices: number;
  #bytesLeft = 0;

  /** `constants` has `INPUT_CONSTANTS_BYTES`. */
  constructor(memory: GuestMemory, constants: MemoryRegion) {
    const structs = new StructWriter(memory);
    structs.open(constants);
    this.#structs = structs;
    this.#null = structs.scalar(ValueType.null);
    this.#true = structs.scalar(ValueType.internedBoolean | (1 << 8));
    this.#false = structs.scalar(ValueType.internedBoolean);
    this.#indices = structs.next;
    for (let index = 0; index < SHARED_INDICES; index += 1) structs.int32(index);
    const address = structs.next;
    const bytes = constants.address + constants.bytes - address;
    this.#names = new MemberNames(memory, { address, bytes });
  }

  /**
   * Writes a whole input into `region`, which stays valid until it is used again. With `user`, the
   * address of a value, the input must be an object, of which that becomes the member `user`.
   * Throws `InputRefused`, and `NoRoom` if a larger region would do.
   */
  write(input: InputValue, user: number, region: MemoryRegion): number {
    this.#structs.open(region);
    this.#names.makeRoom();
    this.#bytesLeft = INPUT_BYTES_MAX;
    if (user === 0) return this.#value(input, 0);
    if (!isDocument(input)) throw new InputRefused("the input is not an object");
    return this.#object(input, 0, user);
  }

  #spend(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) throw tooLarge();
  }

  /** Refuses what is going to be too large before room is made for it. */
  #expectValues(count: number): void {
    if (count * BYTES_PER_VALUE > this.#bytesLeft) throw tooLarge();
  }

  #value(value: InputValue, depth: number): number {
    if (typeof value === "string") return this.#string(value);
    this.#spend(BYTES_PER_VALUE);
    if (typeof value === "number") return this.#number(value);
    if (typeof value === "boolean") return value ? this.#true : this.#false;
    if (value === null) return this.#null;
    if (typeof value === "bigint") return this.#bigint(value);
    if (Array.isArray(value)) return this.#array(value, depth);
    if (isDocument(value)) return this.#object(value, depth, 0);
    throw new InputRefused(`the input contains a value of type ${typeof value}`);
  }

  #string(text: string): number {
    this.#spend(BYTES_PER_VALUE + text.length);
    return this.#structs.string(text);
  }

  #number(value: number): number {
    if (!Number.isFinite(value)) throw new InputRefused(`the input contains the number ${value}`);
    return this.#structs.number(value);
  }

  #bigint(value: bigint): number {
    const text = value.toString();
    this.#spend(text.length);
    return this.#structs.numberText(text);
  }

  #array(items: readonly InputValue[], depth: number): number {
    checkDepth(depth);
    this.#expectValues(items.length);
    const address = this.#structs.table(ValueType.array, 2 * items.length);
    const { words } = this.#structs.memory;
    const elements = (address + TABLE_BYTES) >> 2;
    words[(address >> 2) + 2] = items.length;
    words[(address >> 2) + 3] = items.length;
    for (let index = 0; index < items.length; index += 1) {
      words[elements + 2 * index] =
        index < SHARED_INDICES ? this.#indices + NUMBER_BYTES * index : this.#structs.int32(index);
      words[elements + 2 * index + 1] = this.#value(items[index]!, depth + 1);
    }
    return address;
  }

  #object(document: InputDocument, depth: number, user: number): number {
    checkDepth(depth);
    const names = Object.keys(document);
    const most = names.length + (user === 0 ? 0 : 1);
    let bucketCount = BUCKETS_MIN;
    while (most > bucketCount * LOAD_FACTOR) bucketCount *= 2;
    this.#expectValues(names.length);
    const address = this.#structs.table(ValueType.object, bucketCount);
    this.#structs.memory.words[(address >> 2) + 2] = bucketCount;
    if (user !== 0) this.#addMember(address, "user", user);
    for (const name of names) {
      if (user !== 0 && name === "user") continue;
      this.#addMember(address, name, this.#value(document[name]!, depth + 1));
    }
    return address;
  }

  /** Puts a member into its bucket, whose members the guest keeps in the order of names. */
  #addMember(object: number, name: string, value: number): void {
    this.#spend(name.length);
    const { address, hash } = this.#names.find(name) ?? this.#names.add(name, this.#structs);
    const element = this.#structs.reserve(MEMBER_BYTES);
    const { words } = this.#structs.memory;
    const header = object >> 2;
    // The number of buckets is a power of two.
    let link = header + TABLE_BYTES / 4 + (hash & (words[header + 2]! - 1));
    while (
      words[link] !== 0 &&
      this.#structs.compareStrings(words[words[link]! >> 2]!, address) < 0
    ) {
      link = (words[link]! >> 2) + MEMBER_NEXT_WORD;
    }
    const at = element >> 2;
    words[at] = address;
    words[at + 1] = value;
    words[at + MEMBER_NEXT_WORD] = words[link]!;
    words[link] = element;
    words[header + 3]! += 1;
  }
}

function tooLarge(): InputRefused {
  return new InputRefused(`the input is larger than ${INPUT_BYTES_MAX} bytes`);
}

function checkDepth(depth: number): void {
  if (depth >= INPUT_DEPTH_MAX) {
    throw new InputRefused(`the input is nested deeper than ${INPUT_DEPTH_MAX}`);
  }
}

function isDocument(value: InputValue): value is InputDocument {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
