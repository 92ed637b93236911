import { ResultRefused } from "./guest-failure.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Linear memory as the host sees it. Addresses come from the guest and are checked at each use
 * (`ResultRefused`).
 * Growth detaches the views; `refresh` renews them and costs next to nothing if nothing grew.
 */
export class GuestMemory {
  readonly memory: WebAssembly.Memory;
  bytes: Uint8Array<ArrayBuffer>;
  /** For addresses that are multiples of 4, as the host's own are. */
  words: Int32Array<ArrayBuffer>;
  #view: DataView;

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
  }

  /** Call after guest code has run, before the views are used; what takes or gives text does. */
  refresh(): void {
    if (this.bytes.length !== 0) return;
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
    this.#view = new DataView(this.memory.buffer);
  }

  byteAt(address: number): number {
    const byte = this.bytes[address];
    if (byte === undefined) throw outside(address);
    return byte;
  }

  /** An unsigned 32-bit word at any address, pointers and lengths alike. */
  wordAt(address: number): number {
    if (!(address >= 0 && address + 4 <= this.bytes.length)) throw outside(address);
    return this.#view.getUint32(address, true);
  }

  int64At(address: number): bigint {
    if (!(address >= 0 && address + 8 <= this.bytes.length)) throw outside(address);
    return this.#view.getBigInt64(address, true);
  }

  /** UTF-8 of a given length. */
  textAt(address: number, length: number): string {
    if (!(address >= 0 && address + length <= this.bytes.length)) throw outside(address);
    return decoder.decode(this.bytes.subarray(address, address + length));
  }

  /** UTF-8 up to a NUL, which must come within `bytesMax`. */
  terminatedTextAt(address: number, bytesMax: number): string {
    this.refresh();
    const end = this.bytes.indexOf(0, address);
    if (end < 0 || end - address > bytesMax) throw outside(address);
    return this.textAt(address, end - address);
  }

  /** Writes UTF-8 without a NUL. Gives the bytes written, or -1 if they don't fit. */
  writeText(text: string, address: number, bytesMax: number): number {
    this.refresh();
    if (!(address >= 0 && address + bytesMax <= this.bytes.length)) throw outside(address);
    const target = this.bytes.subarray(address, address + bytesMax);
    const { read, written } = encoder.encodeInto(text, target);
    return read === text.length ? written : -1;
  }
}

function outside(address: number): ResultRefused {
  return new ResultRefused(`address ${address} is outside of the policy's memory`);
}
