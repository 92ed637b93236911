/**
 * What has to be known of, and changed in, a policy's module before it is compiled: the module's
 * own API can't tell. Not for checking that the module is valid, which the compiler does.
 */
import { KiB } from "../base/sizes.ts";
import { type ByteReader, byteReader, encodeU32 } from "./leb128.ts";
import { PolicyRefused } from "./prepared-policy.ts";
import { withStepsCounted } from "./wasm-steps.ts";

/** Under this name the rewritten module exports its stack pointer. */
export const STACK_POINTER_EXPORT = "postern_stack_pointer";
/** Under this name it exports how many steps it may still take, an `i64` that is negative past the last. */
export const STEPS_LEFT_EXPORT = "postern_steps_left";

/** A module ready for compilation. */
export interface PolicyModule {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** What linear memory has to start with. */
  readonly memoryMinBytes: number;
}

type Content = Uint8Array<ArrayBuffer>;

interface Section {
  readonly id: number;
  readonly content: Content;
}

/** Size of a page of linear memory. */
export const PAGE_BYTES = 64 * KiB;

const HEADER_BYTES = 8;
/** Magic and version 1. */
const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SECTION_IMPORT = 2;
const SECTION_GLOBAL = 6;
const SECTION_EXPORT = 7;
const SECTION_CODE = 10;
const SECTION_DATA = 11;
const TYPE_I32 = 0x7f;
const TYPE_I64 = 0x7e;
const MUTABLE = 1;
const KIND_FUNCTION = 0x00;
const KIND_MEMORY = 0x02;
const KIND_GLOBAL = 0x03;
const OPCODE_I32_CONST = 0x41;
const OPCODE_I64_CONST = 0x42;
const OPCODE_END = 0x0b;
/** At first there are 2^34 steps left, which take a minute: for the start function, and to load data. */
const STEPS_GLOBAL = Uint8Array.from([
  ...[TYPE_I64, MUTABLE],
  ...[OPCODE_I64_CONST, 0x80, 0x80, 0x80, 0x80, 0xc0, 0x00, OPCODE_END],
]);

/**
 * Makes a policy's module one that can be stopped and mended:
 *
 * - Its functions count their steps (`withStepsCounted`), in a global that the host sets.
 * - Its stack pointer, its one mutable global, is exported. A throw out of wasm leaves it where it was,
 *   64 KiB of stack are lost frame by frame, and after some thousand throws nothing runs any more; with
 *   the export the host puts it back in nanoseconds, whatever the size of the data.
 *
 * Throws `PolicyRefused`.
 */
export function adaptModule(wasm: Uint8Array<ArrayBuffer>): PolicyModule {
  try {
    const sections = readSections(wasm);
    const globals = readGlobals(sections);
    const stepsLeft = globals.count;
    const changes = new Map<number, (content: Content) => Content>([
      [SECTION_GLOBAL, (content) => withEntries(content, [STEPS_GLOBAL])],
      [
        SECTION_EXPORT,
        (content) =>
          withEntries(content, [
            globalExport(STACK_POINTER_EXPORT, globals.stackPointer),
            globalExport(STEPS_LEFT_EXPORT, stepsLeft),
          ]),
      ],
      [SECTION_CODE, (content) => withAllStepsCounted(content, stepsLeft)],
    ]);
    for (const id of changes.keys()) {
      if (!sections.some((section) => section.id === id)) {
        throw new RangeError("it has no functions, or exports nothing");
      }
    }
    return {
      wasm: writeSections(
        sections.map(({ id, content }) => ({ id, content: changes.get(id)?.(content) ?? content })),
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
  return joined([Uint8Array.from(HEADER), ...parts]);
}

function joined(parts: readonly Content[]): Content {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function sectionReader(sections: readonly Section[], id: number): ByteReader | undefined {
  const section = sections.find((candidate) => candidate.id === id);
  return section === undefined ? undefined : byteReader(section.content);
}

/** How many there are, and the index of the only mutable i32. Policies import none, so places are indices. */
function readGlobals(sections: readonly Section[]): { count: number; stackPointer: number } {
  const reader = sectionReader(sections, SECTION_GLOBAL);
  const indices: number[] = [];
  const count = reader?.u32() ?? 0;
  for (let index = 0; reader !== undefined && index < count; index += 1) {
    const type = reader.byte();
    const isMutable = reader.byte() === MUTABLE;
    constantAddress(reader);
    if (isMutable && type === TYPE_I32) indices.push(index);
  }
  const [stackPointer] = indices;
  if (stackPointer === undefined || indices.length > 1) {
    throw new RangeError(`it has ${indices.length} mutable globals instead of a stack pointer`);
  }
  return { count, stackPointer };
}

/** The value of an initializer. OPA writes nothing but `i32.const`. */
function constantAddress(reader: ByteReader): number {
  if (reader.byte() !== OPCODE_I32_CONST) throw new RangeError("an initializer is no constant");
  const value = reader.s32();
  if (reader.byte() !== OPCODE_END) throw new RangeError("an initializer has no end");
  return value >>> 0;
}

/** A section that is a list, with more at its end. */
function withEntries(content: Content, entries: readonly Content[]): Content {
  const reader = byteReader(content);
  const count = Uint8Array.from(encodeU32(reader.u32() + entries.length));
  return joined([count, content.subarray(reader.offset), ...entries]);
}

function globalExport(name: string, index: number): Content {
  const text = new TextEncoder().encode(name);
  return Uint8Array.from([...encodeU32(text.length), ...text, KIND_GLOBAL, ...encodeU32(index)]);
}

function withAllStepsCounted(content: Content, stepsLeft: number): Content {
  const reader = byteReader(content);
  const count = reader.u32();
  const parts: Content[] = [content.subarray(0, reader.offset)];
  for (let index = 0; index < count; index += 1) {
    const body = joined(withStepsCounted(reader.take(reader.u32()), stepsLeft));
    parts.push(Uint8Array.from(encodeU32(body.length)), body);
  }
  return joined(parts);
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
