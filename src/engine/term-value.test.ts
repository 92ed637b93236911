import { describe, expect, it } from "vitest";
import { parseTerm } from "./term.ts";
import { compareNumberTexts, decimalToBigInt, readDecimal } from "./term-decimal.ts";
import { compareTerms, equalTerms, termInteger, termObject, termSet } from "./term-value.ts";

/** Asserts that each text's term is below all that follow it. */
function expectAscending(texts: readonly string[]): void {
  texts.forEach((low, index) => {
    expect(compareTerms(parseTerm(low), parseTerm(low)), low).toBe(0);
    for (const high of texts.slice(index + 1)) {
      expect(compareTerms(parseTerm(low), parseTerm(high)), `${low} ${high}`).toBeLessThan(0);
      expect(compareTerms(parseTerm(high), parseTerm(low)), `${high} ${low}`).toBeGreaterThan(0);
    }
  });
}

describe("compareTerms()", () => {
  it("orders types as Rego does", () => {
    expectAscending(["null", "false", "true", "-1", "0", '""', "[]", "{}", "set()"]);
  });

  it("orders strings by code point, not by UTF-16 unit", () => {
    expectAscending(['""', '"a"', '"aa"', '"b"', '"é"', '"\uffee"', '"😀"', '"😁"']);
  });

  it("orders numbers by exact value", () => {
    expectAscending([
      ...["-1e300", "-12345678901234567891", "-12345678901234567890", "-1.5", "-1", "-1e-9", "0"],
      ...["1e-300", "0.1", "0.10000000000000000001", "1", "9007199254740992", "9007199254740993"],
      ...["9007199254740993.5", "1e20", "1e999999999"],
    ]);
  });

  it("orders composites by their elements, then by length", () => {
    expectAscending(["[]", "[1]", "[1,2]", "[2]", "[[]]"]);
    expectAscending(["{}", '{"a":1}', '{"a":1,"b":1}', '{"a":2}', '{"b":0}']);
    expectAscending(["set()", "{1}", "{1,2}", "{2}"]);
  });

  it("holds numbers of the same value for equal", () => {
    for (const text of ["1.0", "1e0", "10e-1", "0.1e1", "1.", "001"]) {
      expect(compareNumberTexts("1", text), text).toBe(0);
    }
    expect(compareNumberTexts("0", "-0.0e5")).toBe(0);
  });
});

describe("termObject(), termSet()", () => {
  it("finds members by Rego's equality", () => {
    const object = termObject([
      ["__proto__", true],
      [termInteger(1), "one"],
      [termSet(["x"]), "set"],
    ]);
    expect(object.get("__proto__")).toBe(true);
    expect(object.get("constructor")).toBeUndefined();
    expect(object.get(parseTerm("1.0"))).toBe("one");
    expect(object.get(parseTerm('{"x"}'))).toBe("set");
    expect(termSet(["b", "a"]).has("a")).toBe(true);
    expect(termSet(["b", "a"]).has("c")).toBe(false);
    expect(equalTerms(termSet(["b", "a"]), termSet(["a", "b", "a"]))).toBe(true);
  });
});

describe("decimalToBigInt()", () => {
  it("gives integers exactly and nothing else", () => {
    const convert = (text: string) => decimalToBigInt(readDecimal(text), 50);
    expect(convert("9007199254740993")).toBe(9007199254740993n);
    expect(convert("-1.50e1")).toBe(-15n);
    expect(convert("1e49")).toBe(10n ** 49n);
    expect(convert("1e51")).toBeUndefined();
    expect(convert("1.5")).toBeUndefined();
    expect(convert("0e99")).toBe(0n);
  });
});
