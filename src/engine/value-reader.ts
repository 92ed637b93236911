import { KiB } from "../base/sizes.ts";
import type { JsonValue } from "../decision/json.ts";
import { ResultRefused } from "./guest-failure.ts";
import { BadAddress, type GuestMemory } from "./guest-memory.ts";
import { compareInRegoOrder } from "./rego-order.ts";
import { NumberRepr, ValueType } from "./value-layout.ts";

/** Largest result, counted as the bytes of its strings and 8 for each value. */
export const RESULT_BYTES_MAX = 64 * KiB;
/** Deepest result. */
export const RESULT_DEPTH_MAX = 64;

const BYTES_PER_VALUE = 8;
const CONSTANT_STRINGS_MAX = 4096;

/** Where a hash table's elements have their parts. */
const OBJECT_ELEMENT = { value: 4, next: 8 };
const SET_ELEMENT = { value: 0, next: 4 };

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
    return this.#guarded(() => this.#value(address, 0));
  }

  /**
   * What an entrypoint gave: a set that is empty, or holds one object with the member `result`.
   * `undefined` if it is empty.
   */
  readResult(address: number): JsonValue | undefined {
    return this.#guarded(() => {
      const memory = this.#memory;
      const set = this.#firstElement(address, ValueType.set, SET_ELEMENT.next);
      if (set === 0) return undefined;
      const object = memory.wordAt(set + SET_ELEMENT.value);
      const member = this.#firstElement(object, ValueType.object, OBJECT_ELEMENT.next);
      if (member === 0) throw new ResultRefused("the result has no member");
      return this.#value(memory.wordAt(member + OBJECT_ELEMENT.value), 0);
    });
  }

  #guarded<T>(read: () => T): T {
    this.#bytesLeft = RESULT_BYTES_MAX;
    this.#memory.refresh();
    try {
      return read();
    } catch (error) {
      if (error instanceof BadAddress) throw new ResultRefused(error.message);
      throw error;
    }
  }

  /** The element of a table that may hold one at most; 0 if it holds none. */
  #firstElement(table: number, type: number, nextOffset: number): number {
    const memory = this.#memory;
    if (memory.byteAt(table) !== type || memory.wordAt(table + 12) > 1) {
      throw new ResultRefused("the result is not in the form of an entrypoint's");
    }
    let found = 0;
    this.#eachElement(table, nextOffset, (element) => {
      found = element;
    });
    return found;
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
    if (this.#bytesLeft < 0) {
      throw new ResultRefused(`the result is larger than ${RESULT_BYTES_MAX} bytes`);
    }
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
    this.#eachElement(address, OBJECT_ELEMENT.next, (element) => {
      const key = this.#value(memory.wordAt(element), depth + 1);
      const name = typeof key === "string" ? key : JSON.stringify(key);
      object[name] = this.#value(memory.wordAt(element + OBJECT_ELEMENT.value), depth + 1);
    });
    return object;
  }

  #set(address: number, depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    this.#eachElement(address, SET_ELEMENT.next, (element) => {
      items.push(this.#value(this.#memory.wordAt(element + SET_ELEMENT.value), depth + 1));
    });
    return items.sort(compareInRegoOrder);
  }

  /** Visits the elements of a hash table, no more than it says it has. */
  #eachElement(table: number, nextOffset: number, visit: (element: number) => void): void {
    const memory = this.#memory;
    const buckets = memory.wordAt(table + 4);
    const bucketCount = memory.wordAt(table + 8);
    let left = memory.wordAt(table + 12);
    for (let bucket = 0; bucket < bucketCount && left > 0; bucket += 1) {
      let element = memory.wordAt(buckets + 4 * bucket);
      while (element !== 0) {
        if (left === 0) throw new ResultRefused("a chain of the result has no end");
        left -= 1;
        visit(element);
        element = memory.wordAt(element + nextOffset);
      }
    }
    if (left !== 0) throw new ResultRefused("a table of the result lacks elements");
  }
}
