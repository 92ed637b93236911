import type { GuestMemory } from "./guest-memory.ts";
import type { MemoryRegion } from "./prepared-policy.ts";
import { NoRoom, STRING_BYTES, StructWriter } from "./struct-writer.ts";
import { HASH_INIT, HASH_PRIME } from "./value-layout.ts";

/** A member's name in memory. */
export interface MemberName {
  readonly address: number;
  readonly hash: number;
}

const NAMES_MAX = 256;
const NAME_UNITS_MAX = 64;

/**
 * Names of members, written and hashed once and used by every input after that. Bounded by count
 * and by the region; when full it starts over, so that names that callers make up can't push out
 * the usual ones for longer than until then.
 */
export class MemberNames {
  readonly #region: MemoryRegion;
  readonly #writer: StructWriter;
  readonly #names = new Map<string, MemberName>();
  #isFull = false;

  constructor(memory: GuestMemory, region: MemoryRegion) {
    this.#region = region;
    this.#writer = new StructWriter(memory);
    this.#writer.open(region);
  }

  /** Call between inputs only: a name that an input uses must stay where it is. */
  makeRoom(): void {
    if (!this.#isFull) return;
    this.#names.clear();
    this.#writer.open(this.#region);
    this.#isFull = false;
  }

  /** The name, if it is known. */
  find(name: string): MemberName | undefined {
    return this.#names.get(name);
  }

  /** Writes a well-formed name that isn't known; by `fallback` if it can't be kept. */
  add(name: string, fallback: StructWriter): MemberName {
    if (name.length > NAME_UNITS_MAX || this.#isFull) return writeName(fallback, name);
    try {
      const kept = writeName(this.#writer, name);
      this.#names.set(name, kept);
      this.#isFull = this.#names.size >= NAMES_MAX;
      return kept;
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error;
      this.#isFull = true;
      return writeName(fallback, name);
    }
  }
}

function writeName(writer: StructWriter, name: string): MemberName {
  const address = writer.string(name);
  const { bytes, words } = writer.memory;
  const length = words[(address >> 2) + 1]!;
  let hash = HASH_INIT;
  for (let at = address + STRING_BYTES; at < address + STRING_BYTES + length; at += 1) {
    hash = Math.imul(hash, HASH_PRIME) ^ bytes[at]!;
  }
  return { address, hash };
}
