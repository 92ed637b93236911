import { MiB } from "../base/sizes.ts";
import type { Guest } from "./guest.ts";
import { InputRefused } from "./guest-failure.ts";
import type { KeptDocument } from "./policy.ts";
import type { MemoryRegion } from "./prepared-policy.ts";

/** Longest text of a kept document. */
export const KEPT_TEXT_BYTES_MAX = 4 * MiB;

const UTF8_BYTES_PER_UNIT = 3;
/** What parsing may take: the longest text alone bounds it, not what an evaluation may take. */
const PARSE_STEPS = 1_000_000_000n;

/** Where documents are kept, and how much of them. */
export interface KeptDocumentsSource {
  readonly guest: Guest;
  /** For texts on their way in. */
  readonly scratch: MemoryRegion;
  /** First free byte of the heap. */
  readonly heapAddress: number;
  /** Bytes of heap that documents may take together. */
  readonly bytesMax: number;
  /** What an evaluation may take, after a document that it needs has been parsed. */
  readonly stepsMax: bigint;
}

/**
 * Parsed documents at the bottom of the wasm heap, below whatever an evaluation allocates.
 *
 * - A document is parsed only while nothing lies above the kept ones, so that it joins them
 *   without a gap, and is kept only once it is whole: what fails half-way is overwritten.
 * - What an evaluation allocates from the holes that parsing left between a document's values
 *   harms nobody: the free lists are emptied before the next one.
 * - The guest never frees single documents: when they have outgrown their bytes, all are
 *   forgotten and the heap starts over.
 * - Documents are known by identity and held weakly. A dropped one costs its bytes until then.
 */
export class KeptDocuments {
  readonly #source: KeptDocumentsSource;
  #addresses = new WeakMap<KeptDocument, number>();
  #top: number;

  constructor(source: KeptDocumentsSource) {
    this.#source = source;
    this.#top = source.heapAddress;
  }

  /** First byte above the kept documents. */
  get top(): number {
    return this.#top;
  }

  /**
   * The address of the document, valid until the next call. The heap above the kept documents must
   * be free. Throws `InputRefused`, or what the guest throws.
   */
  addressOf(document: KeptDocument): number {
    return this.#addresses.get(document) ?? this.#add(document);
  }

  /** Forgets all, at once. */
  forget(): void {
    this.#addresses = new WeakMap();
    this.#top = this.#source.heapAddress;
    this.#source.guest.functions.opa_heap_ptr_set(this.#top);
  }

  #add(document: KeptDocument): number {
    const { functions } = this.#source.guest;
    const text = document.text();
    let address = this.#parse(text);
    if (!this.#fits() && this.#top > this.#source.heapAddress) {
      this.forget();
      address = this.#parse(text);
    }
    if (this.#fits()) {
      this.#top = functions.opa_heap_ptr_get();
      this.#addresses.set(document, address);
    }
    // A document that alone is too large serves this evaluation, and is gone with it.
    return address;
  }

  #fits(): boolean {
    const { guest, heapAddress, bytesMax } = this.#source;
    return guest.functions.opa_heap_ptr_get() - heapAddress <= bytesMax;
  }

  #parse(text: string): number {
    const { guest, stepsMax } = this.#source;
    guest.allowSteps(PARSE_STEPS);
    const { address, length } = this.#place(text);
    const value = guest.functions.opa_value_parse(address, length);
    guest.allowSteps(stepsMax);
    if (value === 0) throw new InputRefused("the kept document is not Rego text");
    return value;
  }

  /** Puts the text into the scratch region, or on the heap if it is too long for that. */
  #place(text: string): { address: number; length: number } {
    const { guest, scratch } = this.#source;
    if (text.length > KEPT_TEXT_BYTES_MAX) {
      throw new InputRefused(`the kept document is longer than ${KEPT_TEXT_BYTES_MAX} bytes`);
    }
    if (!text.isWellFormed()) throw new InputRefused("the kept document has a lone surrogate");
    const written = guest.memory.writeText(text, scratch.address, scratch.bytes);
    if (written >= 0) return { address: scratch.address, length: written };
    const bytes = text.length * UTF8_BYTES_PER_UNIT;
    const address = guest.functions.opa_malloc(bytes);
    return { address, length: guest.memory.writeText(text, address, bytes) };
  }
}
