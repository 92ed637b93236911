import { describe, expect, it } from "vitest";
import { formatTerm, parseTerm, TERM_DEPTH_MAX, TermError, visitLengths } from "./term.ts";
import { TermNumber, TermObject, TermSet } from "./term-value.ts";

const roundTrip = (text: string): string => formatTerm(parseTerm(text));

describe("visitLengths()", () => {
  it("comes to at least the length of the text", () => {
    for (const text of ["1", "null", '"a"', '{"a":[1,2.5,{"b"}],"c":{}}', "set()", "[[],[[]]]"]) {
      const term = parseTerm(text);
      let length = 0;
      visitLengths(term, (more) => {
        length += more;
      });
      expect(length).toBeGreaterThanOrEqual(formatTerm(term).length);
    }
  });
});

describe("parseTerm()", () => {
  it("refuses what is no Rego value", () => {
    const broken = [
      "",
      " ",
      "[",
      "[1,]",
      "{1:}",
      "{1",
      '"a',
      '"a\\"',
      '"\\x"',
      "nul",
      "set(",
      "1 2",
    ];
    for (const text of [
      ...broken,
      "1-3",
      "--1",
      "1e",
      ".",
      "-.",
      ".e1",
      "01x",
      "{1,}",
      '{"a":1,2}',
      "[1 2]",
    ]) {
      expect(() => parseTerm(text), text).toThrow(TermError);
    }
  });

  it("refuses nesting that recursion could not follow", () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    expect(() => parseTerm(nested(TERM_DEPTH_MAX + 2))).toThrow(TermError);
    expect(() => parseTerm("[".repeat(100_000))).toThrow(TermError);
    expect(roundTrip(nested(TERM_DEPTH_MAX))).toBe(nested(TERM_DEPTH_MAX));
  });

  it("keeps every digit of a number", () => {
    for (const text of [
      "9007199254740993",
      "-0.10",
      "1e400",
      "1E+30",
      "123456789012345678901234567890",
    ]) {
      expect(parseTerm(text)).toEqual(new TermNumber(text));
    }
  });

  it("tells sets, objects and arrays apart", () => {
    expect(parseTerm("{}")).toEqual(new TermObject([], []));
    expect(parseTerm("set()")).toEqual(new TermSet([]));
    expect(parseTerm('{"b", "a", "b"}')).toEqual(new TermSet(["a", "b"]));
    expect(parseTerm('{"b": 1, [true]: null}')).toEqual(
      new TermObject(["b", [true]], [new TermNumber("1"), null]),
    );
    expect(parseTerm('["b", "a"]')).toEqual(["b", "a"]);
  });

  it("reads escapes, and quotes behind any number of backslashes", () => {
    expect(parseTerm('"\\u00e9\\n\\"\\\\"')).toBe('é\n"\\');
    expect(parseTerm('["\\\\", "\\\\\\""]')).toEqual(["\\", '\\"']);
    expect(parseTerm('"__proto__"')).toBe("__proto__");
  });

  it("takes the last of equal keys and the first of equal items", () => {
    expect(roundTrip('{"a": 1, "a": 2}')).toBe('{"a":2}');
    expect(roundTrip("{1.0, 1}")).toBe("{1.0}");
  });
});

describe("formatTerm()", () => {
  it("writes a digit before the point, where Rego's literal has none", () => {
    expect(parseTerm("-.50")).toEqual(new TermNumber("-.50"));
    expect(roundTrip("[.0,-.50,1.]")).toBe("[0.0,-0.50,1.]");
  });

  it("writes what parseTerm reads", () => {
    const text = '{"a":[1,-2.50,null,true,{"x",{"k"}},set(),{}],{"s"}:{"\\u0001é😀":false}}';
    expect(roundTrip(text)).toBe(text);
  });

  it("replaces lone surrogates, which would abort wasm", () => {
    expect(formatTerm("a\ud800b")).toBe('"a\ufffdb"');
  });
});
