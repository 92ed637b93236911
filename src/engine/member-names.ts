import type { GuestMemory } from "./guest-memory.ts";
import type { MemoryRegion } from "./prepared-policy.ts";
import { type MemberName, NoRoom, STRING_BYTES, StructWriter } from "./struct-writer.ts";
import { HASH_INIT, HASH_PRIME } from "./value-layout.ts";

const NAMES_MAX = 256;
const NAME_UNITS_MAX = 64;

/**
 * Names of members, written and hashed once and used by every input after that. Bounded by count
 * and by the region.
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

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Starts over. Only between inputs: a name that is in use must stay where it is. */
  clear(): void {
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
