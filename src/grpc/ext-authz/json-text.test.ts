import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NumberText } from "../../decision/number-text.ts";
import { compareNumberTexts } from "../../engine/term-decimal.ts";
import { parseJsonText } from "./json-text.ts";

const nested = (depth: number): string => `${'{"a":['.repeat(depth / 2)}${"]}".repeat(depth / 2)}`;

describe("parseJsonText()", () => {
  it.each([
    ["is JSON that ends too early", '{"password":"s3cret'],
    ["is JSON that ends too early", '{"s3cret"'],
    ["is JSON that ends too early", "["],
    ["is JSON that ends too early", ""],
    ["is JSON that ends too early", '"s3cret\\"'],
    ["is not JSON at character 12", '{"password":s3cret}'],
    ["is not JSON at character 10", '["s3cret" at position 7'],
    ["is not JSON at character 9", '{"s3cret",}'],
    ["is not JSON at character 9", '["s3cret"}'],
    ["is not JSON at character 3", "{} null"],
    ["is not JSON at character 1", "01"],
    ["is not JSON at character 0", "\ufeff1"],
    ["has a malformed string at character 1", '["s3cret\\x"]'],
    ["has a malformed string at character 2", '{ "s3cret\n":1}'],
    ["is nested deeper than 64", `[${nested(64)}]`],
    ["is nested deeper than 64", "[".repeat(4_000_000)],
    ["has a number of more than 1000 digits", "9".repeat(1_001)],
    ["has a number beyond the range of a double", '{"a":-1e400}'],
    ["has a number beyond the range of a double", "[0.01e-400]"],
    ["has a number of more than 1000 digits", `0.${"1".repeat(1_000)}`],
  ])("refuses what %s, and shows nothing of it", (why, text) => {
    let message = "";
    try {
      parseJsonText(text);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toBe(`attributes.request.http.body: ${why}`);
  });

  it("reads whole numbers of any size", () => {
    const text = "[1, -9007199254740993, 12345678901234567890, 1.5, 1e2, -0.0]";
    expect(parseJsonText(text)).toEqual([
      1,
      -9007199254740993n,
      12345678901234567890n,
      1.5,
      100,
      -0,
    ]);
    expect(parseJsonText(`-${"9".repeat(999)}`)).toBe(1n - 10n ** 999n);
  });

  it("keeps the digits of numbers that no double is", () => {
    const texts = ["0.1234567890123456789", "-1.0000000000000000001", "0.99999999999999999999"];
    const small = ["5e-324", "-2.2250738585072014E-309", `0.${"0".repeat(990)}1E+990`];
    for (const text of [...texts, ...small]) {
      expect(parseJsonText(text)).toEqual(new NumberText(text));
    }
    expect(JSON.stringify(parseJsonText(`[${texts.join()}]`))).toBe(`[${texts.join()}]`);
    expect(parseJsonText("[0.1234567890123, 1.5E-300, 0e999, 0.000e-9, 1e22, -0]")).toEqual([
      ...[0.1234567890123, 1.5e-300, 0, 0, 1e22, -0],
    ]);
  });

  it.each([
    ["3.0000000000000000", 3],
    ["-4000000000000000e-15", -4],
    ["0.00000000000000001E+18", 10],
    ["9007199254740993.0", 9_007_199_254_740_993n],
    ["0.0000000000000000000001e44", 10n ** 22n],
    ["12345678901234567000e-3", 12_345_678_901_234_567n],
  ])("reads %s as the whole number that it is, which bits.and takes", (text, value) => {
    expect(parseJsonText(text)).toBe(value);
  });

  it("reads a number of few characters as the double whose shortest text says the same", () => {
    const text = fc.stringMatching(/^-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,8})?([eE][+-]?[0-9]{1,3})?$/);
    fc.assert(
      fc.property(text, (source) => {
        let value: unknown;
        try {
          value = parseJsonText(source);
        } catch {
          return;
        }
        const told = value instanceof NumberText ? value.text : String(value);
        expect(compareNumberTexts(told, source)).toBe(0);
      }),
    );
  });

  it("stops at more values than an input has room for", () => {
    expect(parseJsonText(`[${"0,".repeat(32_766)}0]`)).toHaveLength(32_767);
    const tooMany = `[${"{},".repeat(32_767)}{}]`;
    expect(() => parseJsonText(tooMany)).toThrow("has more than 32768 values");
  });

  it("reads what is nested as deep as may be, whatever stands in strings", () => {
    expect(() => parseJsonText(nested(64))).not.toThrow();
    expect(parseJsonText(`"\\"${"[".repeat(100)}"`)).toBe(`"${"[".repeat(100)}`);
    expect(parseJsonText(`"\\\\"`)).toBe("\\");
  });

  it("replaces halves of pairs, in values and in names", () => {
    expect(parseJsonText('"\\ud83d\\ude00 \\ud83d \\ude00\\uD83D\\uDE00"')).toBe(
      "😀 \ufffd \ufffd😀",
    );
    expect(parseJsonText('"\\\\ud83d"')).toBe("\\ud83d");
    const named = parseJsonText('{"\\ud800":1,"\\ufffd":2,"\\udfff":3}');
    expect(Object.entries(named as object)).toEqual([["\ufffd", 3]]);
  });

  it("takes any name for a member's", () => {
    const value = parseJsonText('[{"__proto__":{"a":1},"\\u0061":2,"constructor":3}]');
    const [object] = value as readonly [Record<string, unknown>];
    expect(Object.keys(object)).toEqual(["__proto__", "a", "constructor"]);
    expect(Object.getPrototypeOf(object)).toBe(null);
    expect(Object.values(object).map((member) => JSON.stringify(member))).toEqual([
      '{"a":1}',
      "2",
      "3",
    ]);
  });

  it("has NaN for numbers that readers may take for different ones, where they matter", () => {
    const plain = "[0,7,-7,9007199254740991,-9007199254740991]";
    expect(parseJsonText(plain, "alike")).toEqual(JSON.parse(plain));
    const others = [
      ...["-0", "1.0", "1e3", "1E0", "0.5", "0.99999999999999999999", "1.0000000000000000001"],
      ...["9007199254740992", "-9007199254740993", "1e999", "9".repeat(2_000)],
    ];
    const read = parseJsonText(`[${others.join(",")}]`, "alike");
    expect(read).toEqual(others.map(() => Number.NaN));
  });

  it("refuses a name given twice, where it matters", () => {
    expect(() => parseJsonText('{"a":1,"\\u0061":1}', "alike")).toThrow("body: has a name twice");
  });
});
