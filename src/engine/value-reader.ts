import { KiB } from "../base/sizes.ts";
import type { JsonValue } from "../decision/json.ts";
import { ResultRefused } from "./guest-failure.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { compareInRegoOrder } from "./rego-order.ts";
import { NumberRepr, ValueType } from "./value-layout.ts";

/** Largest result, counted as the bytes of its strings and 8 for each value. */
export const RESULT_BYTES_MAX = 64 * KiB;
/** Deepest result. */
export const RESULT_DEPTH_MAX = 64;

const BYTES_PER_VALUE = 8;
const CONSTANT_STRINGS_MAX = 4096;

const NO_ELEMENTS: readonly number[] = [];

/** Where an element has its parts; what is looked up comes first. */
const OBJECT_ELEMENT_VALUE = 4;
const OBJECT_ELEMENT_NEXT = 8;
const SET_ELEMENT_NEXT = 4;

/**
 * Reads values out of linear memory, straight from their structs: 0.1 µs for a decision, where
 * dumping and parsing JSON takes 2 µs. Nothing there is trusted: each address is checked, and
 * size, depth and length of chains are bounded. Throws `ResultRefused`.
 */
export class ValueReader {
  readonly #memory: GuestMemory;
  /** Below are the policy's constants, which never change. */
  readonly #constantsEnd: number;
  /** Constant strings already decoded, by the address of their struct. */
  readonly #constantStrings = new Map<number, string>();
  #bytesLeft = 0;

  constructor(memory: GuestMemory, constantsEnd: number) {
    this.#memory = memory;
    this.#constantsEnd = constantsEnd;
  }

  /** The value at `address`. Sets become arrays in Rego's order. */
  read(address: number): JsonValue {
    this.#begin();
    return this.#value(address, 0);
  }

  /**
   * What an entrypoint gave: a set that is empty, or holds one object with the member `result`.
   * `undefined` if it is empty.
   */
  readResult(address: number): JsonValue | undefined {
    this.#begin();
    const binding = this.#onlyElement(address, ValueType.set, SET_ELEMENT_NEXT);
    if (binding === undefined) return undefined;
    const object = this.#memory.wordAt(binding);
    const member = this.#onlyElement(object, ValueType.object, OBJECT_ELEMENT_NEXT);
    if (member === undefined) throw new ResultRefused("the result has no member");
    return this.#value(this.#memory.wordAt(member + OBJECT_ELEMENT_VALUE), 0);
  }

  #onlyElement(table: number, type: number, nextOffset: number): number | undefined {
    const isTable = this.#memory.byteAt(table) === type;
    const elements = isTable ? this.#elements(table, nextOffset) : NO_ELEMENTS;
    if (isTable && elements.length <= 1) return elements[0];
    throw new ResultRefused("the result is not in the form of an entrypoint's");
  }

  #begin(): void {
    this.#bytesLeft = RESULT_BYTES_MAX;
    this.#memory.refresh();
  }

  #value(address: number, depth: number): JsonValue {
    const memory = this.#memory;
    this.#spend(BYTES_PER_VALUE);
    if (depth > RESULT_DEPTH_MAX) {
      throw new ResultRefused(`the result is deeper than ${RESULT_DEPTH_MAX}`);
    }
    switch (memory.byteAt(address)) {
      case ValueType.null:
        return null;
      case ValueType.boolean:
      case ValueType.internedBoolean:
        return memory.byteAt(address + 1) !== 0;
      case ValueType.number:
        return this.#number(address);
      case ValueType.string:
      case ValueType.internedString:
        return this.#string(address);
      case ValueType.array:
        return this.#array(address, depth);
      case ValueType.object:
        return this.#object(address, depth);
      case ValueType.set:
        return this.#set(address, depth);
      default:
        throw new ResultRefused(`there is no value at address ${address}`);
    }
  }

  #spend(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) throw tooLarge();
  }

  #number(address: number): number {
    const memory = this.#memory;
    if (memory.byteAt(address + 1) === NumberRepr.integer)
      return Number(memory.int64At(address + 8));
    const length = memory.wordAt(address + 12);
    this.#spend(length);
    const value = Number(memory.textAt(memory.wordAt(address + 8), length));
    if (!Number.isFinite(value)) throw new ResultRefused("a number of the result is out of range");
    return value;
  }

  #string(address: number): string {
    const memory = this.#memory;
    const length = memory.wordAt(address + 4);
    this.#spend(length);
    const isConstant = address < this.#constantsEnd;
    const known = isConstant ? this.#constantStrings.get(address) : undefined;
    if (known !== undefined) return known;
    const text = memory.textAt(memory.wordAt(address + 8), length);
    if (isConstant && this.#constantStrings.size < CONSTANT_STRINGS_MAX) {
      this.#constantStrings.set(address, text);
    }
    return text;
  }

  #array(address: number, depth: number): JsonValue[] {
    const memory = this.#memory;
    const elements = memory.wordAt(address + 4);
    const length = memory.wordAt(address + 8);
    const array: JsonValue[] = [];
    for (let index = 0; index < length; index += 1) {
      array.push(this.#value(memory.wordAt(elements + 8 * index + 4), depth + 1));
    }
    return array;
  }

  #object(address: number, depth: number): JsonValue {
    const memory = this.#memory;
    const object: Record<string, JsonValue> = Object.create(null);
    for (const element of this.#elements(address, OBJECT_ELEMENT_NEXT)) {
      const key = this.#value(memory.wordAt(element), depth + 1);
      const name = typeof key === "string" ? key : JSON.stringify(key);
      object[name] = this.#value(memory.wordAt(element + OBJECT_ELEMENT_VALUE), depth + 1);
    }
    return object;
  }

  #set(address: number, depth: number): JsonValue[] {
    return this.#elements(address, SET_ELEMENT_NEXT)
      .map((element) => this.#value(this.#memory.wordAt(element), depth + 1))
      .sort(compareInRegoOrder);
  }

  /** Addresses of a hash table's elements, no more than it says it has. */
  #elements(table: number, nextOffset: number): readonly number[] {
    const memory = this.#memory;
    const length = memory.wordAt(table + 12);
    if (length === 0) return NO_ELEMENTS;
    if (length * BYTES_PER_VALUE > this.#bytesLeft) throw tooLarge();
    const buckets = memory.wordAt(table + 4);
    const bucketCount = memory.wordAt(table + 8);
    const elements: number[] = [];
    for (let bucket = 0; bucket < bucketCount && elements.length < length; bucket += 1) {
      let element = memory.wordAt(buckets + 4 * bucket);
      while (element !== 0) {
        if (elements.length === length) throw new ResultRefused("a chain has no end");
        elements.push(element);
        element = memory.wordAt(element + nextOffset);
      }
    }
    if (elements.length < length) throw new ResultRefused("a table lacks elements");
    return elements;
  }
}

function tooLarge(): ResultRefused {
  return new ResultRefused(`the result is larger than ${RESULT_BYTES_MAX} bytes`);
}
