/**
 * Makes a policy's functions count their steps and trap when none are left: V8 can't interrupt them
 * from outside. A step is a turn of a loop or a call of a function that calls others; what runs without
 * either is as long as the code itself.
 */
import { type ByteReader, byteReader, encodeU32 } from "./leb128.ts";

const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const BRANCH_TABLE = 0x0e;
const CALL = 0x10;
const CALL_INDIRECT = 0x11;
const TYPED_SELECT = 0x1c;
const FIRST_LOAD = 0x28;
const LAST_STORE = 0x3e;
const F32_CONST = 0x43;
const F64_CONST = 0x44;
/** Comparisons, arithmetic and conversions, which have nothing behind them. */
const NUMERIC_FIRST = 0x45;
const NUMERIC_LAST = 0xc4;
const MISCELLANEOUS = 0xfc;
const EMPTY_BLOCK = 0x40;
/** An alignment from here on has the number of a memory behind it. */
const OTHER_MEMORY = 0x40;
/** `(ref null t)` and `(ref t)`, which have another number behind them. */
const REFERENCES = [0x63, 0x64];

/** How many LEB128 numbers follow the other instructions (WebAssembly core specification §5.4). */
const NUMBERS: ReadonlyMap<number, number> = new Map([
  ...each([0x00, 0x01], 0), // unreachable, nop
  ...each([0x05, 0x0b, 0x0f], 0), // else, end, return
  ...each([0x0c, 0x0d], 1), // br, br_if
  ...each([CALL], 1),
  ...each([CALL_INDIRECT], 2),
  ...each([0x1a, 0x1b], 0), // drop, select
  ...each(range(0x20, 0x24), 1), // locals and globals
  ...each(range(FIRST_LOAD, LAST_STORE), 1), // loads and stores: offset, after the alignment
  ...each([0x3f, 0x40], 1), // memory.size, memory.grow
  ...each([0x41, 0x42], 1), // i32.const, i64.const
  ...each([F32_CONST, F64_CONST], 0),
]);
/** The same after `MISCELLANEOUS` and another number: saturating conversions, then those of memory. */
const MISCELLANEOUS_NUMBERS = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1];

/**
 * The function's body, counting in the mutable `i64` of index `counter`. Throws `RangeError` for an
 * instruction that is not among those of WebAssembly 1.0, sign extension, saturating conversion and
 * bulk memory.
 */
export function withStepsCounted(
  body: Uint8Array<ArrayBuffer>,
  counter: number,
): readonly Uint8Array<ArrayBuffer>[] {
  const step = countingCode(counter);
  const reader = byteReader(body);
  skipLocals(reader);
  const start = reader.offset;
  const loops: number[] = [];
  let calls = false;
  while (!reader.isAtEnd) {
    const opcode = reader.byte();
    skipImmediates(reader, opcode);
    if (opcode === LOOP) loops.push(reader.offset);
    calls ||= opcode === CALL || opcode === CALL_INDIRECT;
  }
  const places = calls ? [start, ...loops] : loops;
  return [0, ...places].flatMap((from, index) => {
    const piece = body.subarray(from, places[index]);
    return index === 0 ? [piece] : [step, piece];
  });
}

/** `if (--counter < 0) unreachable`. */
function countingCode(counter: number): Uint8Array<ArrayBuffer> {
  const index = encodeU32(counter);
  return Uint8Array.from([
    ...[0x23, ...index], // global.get
    ...[0x42, 1], // i64.const 1
    0x7d, // i64.sub
    ...[0x24, ...index], // global.set
    ...[0x23, ...index], // global.get
    ...[0x42, 0], // i64.const 0
    0x53, // i64.lt_s
    ...[IF, EMPTY_BLOCK],
    0x00, // unreachable
    0x0b, // end
  ]);
}

function skipLocals(reader: ByteReader): void {
  for (let groups = reader.u32(); groups > 0; groups -= 1) {
    reader.u32();
    skipType(reader);
  }
}

/** Skips the type of a value or block. */
function skipType(reader: ByteReader): void {
  const first = reader.byte();
  if (REFERENCES.includes(first)) {
    throw new RangeError(`it has the type 0x${first.toString(16)}, which is not known`);
  }
  if ((first & 0x80) !== 0) skipNumbers(reader, 1);
}

/** Skips what follows an opcode up to the next. */
function skipImmediates(reader: ByteReader, opcode: number): void {
  if (opcode === BLOCK || opcode === LOOP || opcode === IF) {
    skipType(reader);
    return;
  }
  if (opcode >= FIRST_LOAD && opcode <= LAST_STORE && reader.u32() >= OTHER_MEMORY) {
    throw new RangeError("it names a memory, where there is one");
  }
  if (opcode === TYPED_SELECT) {
    for (let types = reader.u32(); types > 0; types -= 1) skipType(reader);
    return;
  }
  skipNumbers(reader, numbersAfter(opcode, reader));
  if (opcode === F32_CONST) reader.take(4);
  if (opcode === F64_CONST) reader.take(8);
}

/** How many numbers follow, as far as they are not read here. */
function numbersAfter(opcode: number, reader: ByteReader): number {
  const isNumeric = opcode >= NUMERIC_FIRST && opcode <= NUMERIC_LAST;
  const numbers = isNumeric ? 0 : NUMBERS.get(opcode);
  if (numbers !== undefined) return numbers;
  if (opcode === BRANCH_TABLE) return reader.u32() + 1;
  const follow = opcode === MISCELLANEOUS ? MISCELLANEOUS_NUMBERS[reader.u32()] : undefined;
  if (follow !== undefined) return follow;
  throw new RangeError(`it has the instruction 0x${opcode.toString(16)}, which is not known`);
}

/** Of any width; the compiler checks them. */
function skipNumbers(reader: ByteReader, count: number): void {
  for (let left = count; left > 0; left -= 1) {
    while ((reader.byte() & 0x80) !== 0);
  }
}

function each(opcodes: readonly number[], numbers: number): [number, number][] {
  return opcodes.map((opcode) => [opcode, numbers]);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
