/**
 * What has to be known of, and changed in, a policy's module before it is compiled: the module's
 * own API can't tell. Not for checking that the module is valid, which the compiler does.
 */
import { KiB } from "../base/sizes.ts";
import { type ByteReader, byteReader, encodeU32 } from "./leb128.ts";
import { PolicyRefused } from "./prepared-policy.ts";

/** Under this name the rewritten module exports its stack pointer. */
export const STACK_POINTER_EXPORT = "postern_stack_pointer";

/** A module ready for compilation. */
export interface PolicyModule {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** What linear memory has to start with. */
  readonly memoryMinBytes: number;
}

interface Section {
  readonly id: number;
  readonly content: Uint8Array<ArrayBuffer>;
}

/** Size of a page of linear memory. */
export const PAGE_BYTES = 64 * KiB;

const HEADER_BYTES = 8;
/** Magic and version 1. */
const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SECTION_IMPORT = 2;
const SECTION_GLOBAL = 6;
const SECTION_EXPORT = 7;
const SECTION_DATA = 11;
const TYPE_I32 = 0x7f;
const KIND_FUNCTION = 0x00;
const KIND_MEMORY = 0x02;
const KIND_GLOBAL = 0x03;
const OPCODE_I32_CONST = 0x41;
const OPCODE_END = 0x0b;

/**
 * Adds an export of the stack pointer, the one mutable global of a policy. A throw out of wasm
 * leaves it where it was, 64 KiB of stack are lost frame by frame, and after some thousand throws
 * nothing runs any more; with the export the host puts it back in nanoseconds, whatever the size
 * of the data. Throws `PolicyRefused`.
 */
export function exportStackPointer(wasm: Uint8Array<ArrayBuffer>): PolicyModule {
  try {
    const sections = readSections(wasm);
    const stackPointer = mutableGlobal(sections);
    if (!sections.some(({ id }) => id === SECTION_EXPORT)) {
      throw new RangeError("it exports nothing");
    }
    return {
      wasm: writeSections(
        sections.map((section) =>
          section.id === SECTION_EXPORT ? withGlobalExport(section, stackPointer) : section,
        ),
      ),
      memoryMinBytes: Math.max(
        importedMemoryBytes(sections),
        dataEndAddress(sections) + PAGE_BYTES,
      ),
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new PolicyRefused("compile", `not a policy compiled by OPA: ${error.message}`);
  }
}

function readSections(wasm: Uint8Array<ArrayBuffer>): Section[] {
  const reader = byteReader(wasm);
  const header = reader.take(HEADER_BYTES);
  if (HEADER.some((byte, index) => header[index] !== byte)) {
    throw new RangeError("it is no WebAssembly module of version 1");
  }
  const sections: Section[] = [];
  while (!reader.isAtEnd) {
    const id = reader.byte();
    sections.push({ id, content: reader.take(reader.u32()) });
  }
  return sections;
}

function writeSections(sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  const parts = sections.flatMap(({ id, content }) => [
    Uint8Array.from([id, ...encodeU32(content.length)]),
    content,
  ]);
  const length = parts.reduce((sum, part) => sum + part.length, HEADER_BYTES);
  const wasm = new Uint8Array(length);
  wasm.set(HEADER);
  let offset = HEADER_BYTES;
  for (const part of parts) {
    wasm.set(part, offset);
    offset += part.length;
  }
  return wasm;
}

function sectionReader(sections: readonly Section[], id: number): ByteReader | undefined {
  const section = sections.find((candidate) => candidate.id === id);
  return section === undefined ? undefined : byteReader(section.content);
}

/** Index of the only mutable i32. Policies import no globals, so places are indices. */
function mutableGlobal(sections: readonly Section[]): number {
  const reader = sectionReader(sections, SECTION_GLOBAL);
  const indices: number[] = [];
  const count = reader?.u32() ?? 0;
  for (let index = 0; reader !== undefined && index < count; index += 1) {
    const type = reader.byte();
    const isMutable = reader.byte() === 1;
    constantAddress(reader);
    if (isMutable && type === TYPE_I32) indices.push(index);
  }
  const [only] = indices;
  if (only === undefined || indices.length > 1) {
    throw new RangeError(`it has ${indices.length} mutable globals instead of a stack pointer`);
  }
  return only;
}

/** The value of an initializer. OPA writes nothing but `i32.const`. */
function constantAddress(reader: ByteReader): number {
  if (reader.byte() !== OPCODE_I32_CONST) throw new RangeError("an initializer is no constant");
  const value = reader.s32();
  if (reader.byte() !== OPCODE_END) throw new RangeError("an initializer has no end");
  return value >>> 0;
}

function withGlobalExport(section: Section, globalIndex: number): Section {
  const reader = byteReader(section.content);
  const count = reader.u32();
  const entries = section.content.subarray(reader.offset);
  const name = new TextEncoder().encode(STACK_POINTER_EXPORT);
  const content = Uint8Array.from([
    ...encodeU32(count + 1),
    ...entries,
    ...encodeU32(name.length),
    ...name,
    KIND_GLOBAL,
    ...encodeU32(globalIndex),
  ]);
  return { id: section.id, content };
}

/** The declared minimum. OPA computes it before it adds its last data segment. */
function importedMemoryBytes(sections: readonly Section[]): number {
  const reader = sectionReader(sections, SECTION_IMPORT);
  const count = reader?.u32() ?? 0;
  for (let index = 0; reader !== undefined && index < count; index += 1) {
    reader.take(reader.u32());
    reader.take(reader.u32());
    const kind = reader.byte();
    if (kind === KIND_MEMORY) {
      reader.byte();
      return reader.u32() * PAGE_BYTES;
    }
    if (kind !== KIND_FUNCTION) throw new RangeError("it imports more than functions and memory");
    reader.u32();
  }
  throw new RangeError("it imports no memory");
}

function dataEndAddress(sections: readonly Section[]): number {
  const reader = sectionReader(sections, SECTION_DATA);
  const count = reader?.u32() ?? 0;
  let end = 0;
  for (let index = 0; reader !== undefined && index < count; index += 1) {
    if (reader.u32() !== 0) throw new RangeError("a data segment is not for the linear memory");
    const address = constantAddress(reader);
    const { length } = reader.take(reader.u32());
    end = Math.max(end, address + length);
  }
  return end;
}
