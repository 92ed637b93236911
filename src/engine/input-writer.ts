import { KiB } from "../base/sizes.ts";
import { NumberText } from "../decision/number-text.ts";
import { InputRefused } from "./guest-failure.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { MemberNames } from "./member-names.ts";
import { type ObjectPlace, ObjectTemplates } from "./object-templates.ts";
import type { InputDocument, InputValue } from "./policy.ts";
import type { MemoryRegion } from "./prepared-policy.ts";
import { type MemberName, NUMBER_BYTES, StructWriter, TABLE_BYTES } from "./struct-writer.ts";
import { ValueType } from "./value-layout.ts";

/**
 * Largest input: as text, its bytes; as an object, counted as the characters of its strings and
 * names, and 8 for each value.
 */
export const INPUT_BYTES_MAX = 256 * KiB;
/**
 * Deepest input: the 64 levels that a caller's JSON may have, below the three of
 * `input.request.subject.properties` and one to spare.
 */
export const INPUT_DEPTH_MAX = 68;
/** Room for the largest input: an empty object takes eleven times the bytes it counts for. */
export const INPUT_ROOM_MAX = 12 * INPUT_BYTES_MAX;
/** Room for what every input is built of. */
export const INPUT_CONSTANTS_BYTES = 48 * KiB;

const NAMES_BYTES = 24 * KiB;

const BYTES_PER_VALUE = 8;
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
  readonly #templates: ObjectTemplates;
  readonly #null: number;
  readonly #true: number;
  readonly #false: number;
  readonly #indices: number;
  #bytesLeft = 0;
  /** What becomes the member `user` of the input; 0 = nothing. */
  #user = 0;

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
    const namesAddress = structs.next;
    const names = { address: namesAddress, bytes: NAMES_BYTES };
    const address = namesAddress + NAMES_BYTES;
    const templates = { address, bytes: constants.address + constants.bytes - address };
    this.#names = new MemberNames(memory, names);
    this.#templates = new ObjectTemplates(memory, templates, this.#names);
  }

  /**
   * Writes a whole input into `region`, which stays valid until it is used again. With `user`, the
   * address of a value, the input must be an object, of which that becomes the member `user`.
   * Throws `InputRefused`, and `NoRoom` if a larger region would do.
   */
  write(input: InputValue, user: number, region: MemoryRegion): number {
    this.#structs.open(region);
    if (this.#names.isFull || this.#templates.isFull) this.#startOver();
    this.#bytesLeft = INPUT_BYTES_MAX;
    this.#user = user;
    if (user !== 0 && !isDocument(input)) throw new InputRefused("the input is not an object");
    return this.#value(input, 0, this.#templates.root);
  }

  #startOver(): void {
    this.#names.clear();
    this.#templates.clear();
  }

  #spend(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) throw tooLarge();
  }

  /** Refuses what is going to be too large before room is made for it. */
  #expectValues(count: number): void {
    if (count * BYTES_PER_VALUE > this.#bytesLeft) throw tooLarge();
  }

  #value(value: InputValue, depth: number, place?: ObjectPlace): number {
    if (typeof value === "string") return this.#string(value);
    this.#spend(BYTES_PER_VALUE);
    if (typeof value === "number") return this.#number(value);
    if (typeof value === "boolean") return value ? this.#true : this.#false;
    if (value === null) return this.#null;
    if (typeof value === "bigint") return this.#numberText(value.toString());
    if (Array.isArray(value)) return this.#array(value, depth);
    if (value instanceof NumberText) return this.#numberText(value.text);
    if (isDocument(value)) return this.#object(value, depth, place);
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

  #numberText(text: string): number {
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

  #object(document: InputDocument, depth: number, place?: ObjectPlace): number {
    checkDepth(depth);
    const user = depth === 0 ? this.#user : 0;
    const names = user === 0 ? Object.keys(document) : namesWithUser(document);
    this.#expectValues(names.length);
    const template = place === undefined ? undefined : this.#templates.find(place, names);
    const { words } = this.#structs.memory;
    const address = template?.address ?? this.#structs.object(names.length);
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index]!;
      this.#spend(name.length);
      const member = document[name]!;
      const value =
        user !== 0 && name === "user"
          ? user
          : this.#value(member, depth + 1, this.#placeOf(place, name, member));
      if (template === undefined) {
        this.#structs.addMember(address, this.#name(name), value);
      } else {
        words[template.valueWords[index]!] = value;
      }
    }
    if (template === undefined && place !== undefined) this.#templates.add(place, names);
    return address;
  }

  #placeOf(
    place: ObjectPlace | undefined,
    name: string,
    member: InputValue,
  ): ObjectPlace | undefined {
    if (place === undefined || !isDocument(member)) return undefined;
    return this.#templates.placeOf(place, name);
  }

  #name(name: string): MemberName {
    return this.#names.find(name) ?? this.#names.add(name, this.#structs);
  }
}

/** The names of an input whose `user` is given apart. */
function namesWithUser(document: InputDocument): string[] {
  const names = Object.keys(document);
  const own = names.indexOf("user");
  if (own >= 0) names.splice(own, 1);
  names.push("user");
  return names;
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
