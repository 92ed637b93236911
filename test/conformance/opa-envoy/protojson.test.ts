// OPA's Envoy plugin reads gRPC bodies with Go's dynamicpb and protojson. The same bytes, given to Go and
// to Postern, give the same values, or an error from both. Where Postern is stricter, it is listed here.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  askPostern,
  askProtojson,
  buildProtoset,
  type Case,
  registryOf,
} from "./compare-with-protojson.ts";

const SEED = 20_261_127;

const protoset = buildProtoset();
const registry = registryOf(protoset);

type Field = (writer: BinaryWriter) => BinaryWriter;

/** The bytes of these fields. */
function message(...fields: readonly Field[]): Uint8Array {
  return fields.reduce((writer, field) => field(writer), new BinaryWriter()).finish();
}

const varint = (no: number, value: bigint | number): Field => {
  return (writer) => writer.tag(no, WireType.Varint).uint64(BigInt.asUintN(64, BigInt(value)));
};
const float = (no: number, value: number): Field => {
  return (writer) => writer.tag(no, WireType.Bit32).raw(floatBytes(value));
};
const double = (no: number, value: number): Field => {
  return (writer) => writer.tag(no, WireType.Bit64).double(value);
};
const fixed32 = (no: number, value: number): Field => {
  return (writer) => writer.tag(no, WireType.Bit32).fixed32(value);
};
const fixed64 = (no: number, value: bigint): Field => {
  return (writer) => writer.tag(no, WireType.Bit64).fixed64(value);
};
const bytes = (no: number, value: Uint8Array | string): Field => {
  return (writer) => writer.tag(no, WireType.LengthDelimited).bytes(Buffer.from(value));
};
const sub = (no: number, ...fields: readonly Field[]): Field => bytes(no, message(...fields));
const group = (no: number, ...fields: readonly Field[]): Field => {
  return (writer) =>
    writer
      .tag(no, WireType.StartGroup)
      .raw(message(...fields))
      .tag(no, WireType.EndGroup);
};
const raw = (...octets: readonly number[]): Field => {
  return (writer) => writer.raw(Uint8Array.from(octets));
};

function floatBytes(value: number): Uint8Array {
  const buffer = Buffer.alloc(4);
  buffer.writeFloatLE(value);
  return buffer;
}

function packed(no: number, ...values: readonly (bigint | number)[]): Field {
  const writer = new BinaryWriter();
  for (const value of values) writer.uint64(BigInt.asUintN(64, BigInt(value)));
  return bytes(no, writer.finish());
}

const FLOATS = [
  ...[0, -0, 0.1, -0.1, 1e-7, 1e20, 1e21, 16_777_216, 16_777_217, 3.4e38, 1.4e-45, 1 / 3, 0.3],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
];
const POWERS = Array.from({ length: 277 }, (_, index) => 2 ** (index - 149));
const INTEGERS = [
  ...[0n, 1n, -1n, 127n, 128n, 2n ** 31n - 1n, 2n ** 31n, -(2n ** 31n), 2n ** 32n - 1n],
  ...[2n ** 32n, 2n ** 32n + 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)],
];
const TEXTS = ["", "a", "é😀", "\u2028\0\\", "\ufeffx", "__proto__", "x".repeat(100)];
const BAD_TEXTS = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x82]].map((octets) =>
  Buffer.from(octets),
);

const three = (...fields: readonly Field[]): Case => ({
  method: "three",
  bytes: message(...fields),
});
const two = (...fields: readonly Field[]): Case => ({ method: "two", bytes: message(...fields) });
const strict = (...fields: readonly Field[]): Case => ({
  method: "strict",
  bytes: message(...fields),
});

const NUMBERS: Case[] = [
  ...[...FLOATS, ...POWERS].flatMap((value) => [
    three(float(2, value)),
    three(float(28, value), float(30, value), sub(33, bytes(1, "k"), float(2, value))),
    three(sub(58, float(1, value)), sub(67, float(1, value)), sub(67)),
    three(bytes(18, Buffer.concat([floatBytes(value), floatBytes(0.1)])), float(18, value)),
    three(sub(17, float(2, value)), sub(21, float(2, value)), sub(40, sub(2, float(1, value)))),
    three(double(1, value), double(25, value), sub(59, double(1, value))),
    three(sub(53, double(2, value))),
    two(float(2, value), float(7, value), group(9, float(1, value))),
  ]),
  ...[0.1, 1e21, 1e-7, 5e-324, 1.797e308, 2 ** 53, 123456789012345680000].map((value) =>
    three(double(1, value), sub(53, double(2, value)), sub(38, varint(1, 1), double(2, value))),
  ),
  ...INTEGERS.flatMap((value) => [
    ...[3, 4, 5, 6, 7, 8, 13, 16, 19, 20, 23, 24, 29, 32, 68].map((no) => three(varint(no, value))),
    ...[60, 61, 62, 63, 64].map((no) => three(sub(no, varint(1, value)))),
    ...[34, 35, 36, 37, 38, 39, 41].map((no) => three(sub(no, varint(1, value)))),
    three(sub(37, varint(2, value))),
    three(packed(20, value, 1), packed(19, value, 0), varint(23, value), packed(23, value)),
    three(fixed64(10, BigInt.asUintN(64, value)), fixed64(12, BigInt.asUintN(64, value))),
    three(
      sub(44, fixed64(1, BigInt.asUintN(64, value))),
      sub(40, fixed64(1, BigInt.asUintN(64, value))),
    ),
    three(...[9, 11].map((no) => fixed32(no, Number(BigInt.asUintN(32, value))))),
    three(...[42, 43].map((no) => sub(no, fixed32(1, Number(BigInt.asUintN(32, value)))))),
    two(varint(1, value), packed(6, value, 1), varint(6, value)),
  ]),
];

const TEXT_CASES: Case[] = [
  ...[...TEXTS, ...BAD_TEXTS].flatMap((text) => [
    ...[14, 15, 22, 26, 31, 99].map((no) => three(bytes(no, text))),
    three(sub(33, bytes(1, text), float(2, 1))),
    three(sub(35, bytes(2, text)), sub(36, bytes(2, text))),
    three(sub(65, bytes(1, text)), sub(66, bytes(1, text))),
    three(sub(53, bytes(3, text))),
    three(sub(52, sub(1, bytes(1, text), sub(2, bytes(3, text))))),
    ...[3, 4, 99].map((no) => two(bytes(no, text))),
    two(sub(11, bytes(1, text), varint(2, 1))),
    two(group(9, bytes(2, text))),
  ]),
];

const RANGE = [
  ...[0n, 1n, -1n, 1_764_000_000n, 253_402_300_799n, 253_402_300_800n, -62_135_596_800n],
  ...[-62_135_596_801n, 315_576_000_000n, 315_576_000_001n, -315_576_000_000n, -315_576_000_001n],
  ...[2n ** 63n - 1n, 2n ** 53n + 1n],
];
const NANOS = [0, 1, 1_000, 1_000_000, 123_000_000, 999_999_999, 1_000_000_000, -1, -999_999_999];

const KNOWN_TYPES: Case[] = [
  ...RANGE.flatMap((seconds) =>
    [...NANOS, -1_000_000_000, 2 ** 31 - 1].flatMap((nanos) =>
      [50, 51].map((no) => three(sub(no, varint(1, seconds), varint(2, nanos)))),
    ),
  ),
  ...[
    "",
    "a",
    "a_b",
    "a_b.c_d",
    "aB",
    "a__b",
    "_a",
    "a_",
    "a_1",
    "a.b-c",
    "é",
    "a,b",
    "A",
    ".",
  ].map((path) => three(sub(55, bytes(1, path), bytes(1, "x")))),
  three(sub(53)),
  three(sub(53, varint(1, 0))),
  three(sub(53, varint(1, 5))),
  three(sub(53, varint(4, 1), bytes(3, "last"))),
  three(sub(53, sub(6, sub(1, varint(4, 1)), sub(1)))),
  three(sub(54, sub(1, varint(4, 1)), sub(1, varint(1, 0)))),
  three(sub(54), sub(52), sub(55), sub(56), sub(50), sub(51), sub(58), sub(60), sub(64), sub(65)),
  three(sub(52, sub(1, bytes(1, "a")))),
  three(sub(52, sub(1, bytes(1, "a"), sub(2, sub(5, sub(1, sub(2, varint(4, 0)))))))),
  three(sub(39, varint(1, 3))),
  three(sub(56, varint(9, 1))),
  three(varint(29, 0)),
  three(varint(68, 0)),
];

const any = (type: string, ...fields: readonly Field[]): Field => {
  return sub(57, bytes(1, `type.googleapis.com/${type}`), sub(2, ...fields));
};

const ANYS: Case[] = [
  three(sub(57)),
  three(sub(57, sub(2, varint(1, 1)))),
  three(sub(57, bytes(1, "google.protobuf.Empty"))),
  three(sub(57, bytes(1, "/google.protobuf.Empty"))),
  three(sub(57, bytes(1, "x/"))),
  three(any("google.protobuf.Empty")),
  three(any("google.protobuf.Duration", varint(1, 1))),
  three(any("google.protobuf.FloatValue", float(1, 0.1))),
  three(any("google.protobuf.StringValue", bytes(1, "a"))),
  three(any("google.protobuf.StringValue", bytes(1, BAD_TEXTS[0]!))),
  three(any("google.protobuf.Struct", sub(1, bytes(1, "a"), sub(2, varint(4, 1))))),
  three(any("google.protobuf.Value", double(2, 0.1))),
  three(any("google.protobuf.Any", bytes(1, "x/google.protobuf.Duration"), sub(2, varint(1, 3)))),
  three(
    any("google.protobuf.Any", bytes(1, "x/google.protobuf.FloatValue"), sub(2, float(1, 0.1))),
  ),
  three(any("x.Unknown", varint(1, 1))),
  three(any("google.protobuf.Duration", raw(8))),
];

const SHAPES: Case[] = [
  three(),
  two(),
  strict(),
  strict(varint(1, 0)),
  strict(varint(1, 0), sub(2)),
  two(sub(13)),
  three(varint(99, 1), fixed32(98, 1), fixed64(97, 1n), bytes(96, "x"), group(95, varint(1, 1))),
  three(bytes(26, "a"), sub(27), float(28, 1)),
  three(float(28, 1), bytes(26, "a")),
  three(varint(3, 1), varint(3, 2), bytes(14, "a"), bytes(14, "")),
  three(sub(33, bytes(1, "a"), float(2, 1)), sub(33, bytes(1, "a"), float(2, 2))),
  three(sub(33, bytes(1, "a"), bytes(1, "b"), float(2, 1), float(2, 2), varint(3, 1))),
  three(sub(34), sub(34, varint(1, 2)), sub(35, bytes(2, "")), sub(37), sub(38)),
  three(sub(33, bytes(1, "__proto__"), float(2, 1))),
  two(varint(5, 1), varint(8, 2), packed(8, 1, 2), sub(11), sub(11, varint(2, 2))),
  two(group(9), group(10), group(10, sub(1, varint(1, 3)))),
  two(varint(1, 0), float(2, 0), bytes(3, ""), bytes(4, "")),
  two(bytes(100, "note"), sub(101, varint(1, 1))),
  two(raw(0x4b)),
  two(raw(0x4b, 0x54)),
  three(raw(0x0c)),
  three(raw(0)),
  three(raw(0x1e)),
  three(raw(0x18)),
  three(raw(0x18, 0x80)),
  three(raw(0x18, ...new Array(9).fill(0xff), 1)),
  three(raw(0x18, ...new Array(9).fill(0xff), 2)),
  three(raw(0x18, ...new Array(10).fill(0x80), 1)),
  three(raw(0x72, 3, 97)),
  three(raw(0x72, 0x83, 0x80, 0x80, 0x80, 0x10, 97, 97, 97)),
  three(raw(0x8a, 1, 2, 0x72, 3), bytes(14, "a")),
  three(raw(0x8a, 1, 1, 0x18), varint(3, 1)),
  three(raw(0x9a, 1, 1, 0x80), varint(3, 1)),
  three(raw(0x92, 1, 3, 0, 0, 0), varint(3, 1)),
];

/** What Go takes, and sees as an unknown field, or merges, or as a number. */
const STRICTER_CASES: readonly (readonly [string, Case])[] = [
  ["a varint for a text", three(varint(14, 1))],
  ["a text for a varint", three(bytes(3, "a"))],
  ["a double for a float", three(double(2, 1))],
  ["a group for a message", three(group(17, varint(3, 1)))],
  ["a message for a group", two(sub(9, float(1, 1)))],
  ["a map's key of another wire type", three(sub(33, varint(1, 1)))],
  ["a map's value of another wire type", three(sub(33, varint(2, 1)))],
  ["a message given twice", three(sub(17, varint(3, 1)), sub(17, varint(4, 1)))],
  ["a group given twice", two(group(9, float(1, 1)), group(9, bytes(2, "a")))],
  ["a oneof's message given twice", three(sub(27, varint(3, 1)), sub(27, varint(4, 1)))],
  ["a map's message given twice", three(sub(34, sub(2, varint(3, 1)), sub(2, varint(4, 1))))],
  ["a closed enum's unknown value", two(varint(5, 3))],
  ["a closed enum's unknown value in a list", two(packed(8, 1, 3))],
  ["a closed enum's unknown value in a map", two(sub(11, bytes(1, "a"), varint(2, 3)))],
];

/** Messages of random fields, right and wrong, some of them cut or with a byte changed. */
function randomCases(count: number): Case[] {
  const value = fc.oneof(
    fc.constantFrom(...INTEGERS).map((it) => (no: number) => varint(no, it)),
    fc.float().map((it) => (no: number) => float(no, it)),
    fc.double().map((it) => (no: number) => double(no, it)),
    fc.constantFrom(...TEXTS, ...BAD_TEXTS).map((it) => (no: number) => bytes(no, it)),
    fc.uint8Array({ maxLength: 12 }).map((it) => (no: number) => bytes(no, it)),
  );
  const field = fc.tuple(fc.integer({ min: 1, max: 70 }), value).map(([no, of]) => of(no));
  const fields = fc.array(field, { minLength: 1, maxLength: 3 });
  const nested = fc
    .tuple(fc.integer({ min: 1, max: 70 }), fields)
    .map(([no, of]) => sub(no, ...of));
  const made = fc.record({
    method: fc.constantFrom("three" as const, "three" as const, "two" as const, "strict" as const),
    parts: fc.array(fc.oneof(field, nested), { minLength: 1, maxLength: 3 }),
    cut: fc.constantFrom(0, 0, 0, 1),
    change: fc.constantFrom(0, 0, 0, 1, 0x80),
    at: fc.nat(),
  });
  return fc
    .sample(made, { numRuns: count, seed: SEED })
    .map(({ method, parts, cut, change, at }) => {
      const whole = message(...parts);
      whole[at % whole.length]! ^= change;
      return { method, bytes: whole.subarray(0, whole.length - cut) };
    });
}

/** Compares, and gives those that only Go takes. */
function compare(cases: readonly Case[]): { both: number; stricter: Case[] } {
  const answers = askProtojson(protoset, cases);
  expect(answers.length).toBe(cases.length);
  const stricter: Case[] = [];
  const differences: string[] = [];
  let both = 0;
  for (const [index, one] of cases.entries()) {
    const go = answers[index] as Answer;
    const ours = askPostern(one, registry);
    const said = `${hex(one)} is ${ours.value ?? ours.error}; to Go ${go.value ?? go.error}`;
    if (ours.error !== undefined) {
      if (go.error === undefined) stricter.push(one);
    } else if (ours.value !== go.value) differences.push(said);
    else both += 1;
  }
  expect(differences).toEqual([]);
  return { both, stricter };
}

const hex = ({ method, bytes }: Case): string => `${method} ${Buffer.from(bytes).toString("hex")}`;

describe("a gRPC body is to a policy what it is with OPA's Envoy plugin", () => {
  it.each([
    ["numbers", NUMBERS],
    ["texts and bytes", TEXT_CASES],
    ["well-known types", KNOWN_TYPES],
    ["Anys", ANYS],
    ["messages", SHAPES],
  ])("%s", (_what, cases) => {
    const { both, stricter } = compare(cases);
    expect(stricter.map(hex)).toEqual([]);
    expect(both).toBeGreaterThan(0);
  });

  it("random messages, unless they are refused", () => {
    const { both } = compare(randomCases(5_000));
    expect(both).toBeGreaterThan(500);
  });

  it("refuses more", () => {
    const { stricter } = compare(STRICTER_CASES.map(([, one]) => one));
    const names = STRICTER_CASES.filter(([, one]) => stricter.includes(one)).map(([name]) => name);
    expect(names).toEqual(STRICTER_CASES.map(([name]) => name));
  });
});
