import type { GuestMemory } from "./guest-memory.ts";
import type { MemberNames } from "./member-names.ts";
import type { MemoryRegion } from "./prepared-policy.ts";
import { MEMBER_VALUE_WORD, NoRoom, StructWriter } from "./struct-writer.ts";

/** An object in memory that lacks nothing but its values. */
export interface ObjectTemplate {
  readonly names: readonly string[];
  readonly address: number;
  /** For each name, where in memory, counted in words, its value's address goes. */
  readonly valueWords: readonly number[];
}

/** A place in inputs at which objects occur, such as `input.context`; one object per input. */
export interface ObjectPlace {
  readonly templates: ObjectTemplate[];
  readonly members: Map<string, ObjectPlace>;
}

const PLACES_MAX = 128;
const TEMPLATES_PER_PLACE_MAX = 4;
const NAMES_MAX = 32;

/**
 * Objects that inputs have had before, by place and names. Inputs are much alike, and putting
 * values into an object that is there takes half the time of building one. Bounded by count and by
 * the region.
 */
export class ObjectTemplates {
  readonly #region: MemoryRegion;
  readonly #structs: StructWriter;
  readonly #names: MemberNames;
  #root: ObjectPlace = newPlace();
  #places = 0;
  #isFull = false;

  constructor(memory: GuestMemory, region: MemoryRegion, names: MemberNames) {
    this.#region = region;
    this.#names = names;
    this.#structs = new StructWriter(memory);
    this.#structs.open(region);
  }

  /** The place of the input itself. */
  get root(): ObjectPlace {
    return this.#root;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Starts over. Only between inputs, and whenever the names do. */
  clear(): void {
    this.#root = newPlace();
    this.#places = 0;
    this.#structs.open(this.#region);
    this.#isFull = false;
  }

  /** The place of a member, `undefined` once there are too many places. */
  placeOf(place: ObjectPlace, name: string): ObjectPlace | undefined {
    const known = place.members.get(name);
    if (known !== undefined || this.#isFull) return known;
    const added = newPlace();
    place.members.set(name, added);
    this.#places += 1;
    this.#isFull = this.#places >= PLACES_MAX;
    return added;
  }

  /** The template for an object of exactly these names in this order. */
  find(place: ObjectPlace, names: readonly string[]): ObjectTemplate | undefined {
    for (const template of place.templates) {
      if (areEqual(template.names, names)) return template;
    }
    return undefined;
  }

  /** Makes a template, if there is room and all names stay in memory. */
  add(place: ObjectPlace, names: readonly string[]): void {
    const isWanted =
      place.templates.length < TEMPLATES_PER_PLACE_MAX &&
      names.length <= NAMES_MAX &&
      !this.#isFull;
    if (!isWanted || names.some((name) => this.#names.find(name) === undefined)) return;
    try {
      const address = this.#structs.object(names.length);
      const valueWords = names.map((name) => {
        const element = this.#structs.addMember(address, this.#names.find(name)!, 0);
        return (element >> 2) + MEMBER_VALUE_WORD;
      });
      place.templates.push({ names, address, valueWords });
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error;
      this.#isFull = true;
    }
  }
}

function newPlace(): ObjectPlace {
  return { templates: [], members: new Map() };
}

function areEqual(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) {
    if (a[index] !== b[index]) return false;
  }
  return true;
}
