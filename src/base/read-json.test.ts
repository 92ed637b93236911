import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readJson } from "./read-json.ts";

/** Makes V8 expect the name after `"a"` to be this one. */
function expectName(name: string): void {
  for (let times = 0; times < 3; times += 1) JSON.parse(`{"a":1,${JSON.stringify(name)}:2}`);
}

describe("readJson()", () => {
  it.each([
    ["\\", '{"a":1,"\\n":2}', ["a", "\n"]],
    ["\\", '{"a":1,"\\u0041":2}', ["a", "A"]],
    ["\\", '{"a":1,"\\ud800":2}', ["a", "\ud800"]],
    ["admin\\", '{"a":1,"admin\\n":2}', ["a", "admin\n"]],
    ["x\\n", '{"a":1,"x\\ny":2}', ["a", "x\ny"]],
  ])("after the name %j, reads %s with its own names", (expected, text, names) => {
    expectName(expected);
    expect(Object.keys(readJson(text) as object)).toEqual(names);
    expectName(expected);
    const revived = readJson(text, (_name, value) => value);
    expect(Object.keys(revived as object)).toEqual(names);
  });

  const name = fc
    .array(fc.constantFrom("\\", '"', "\n", "n", "a", "u0041", "\ud800", "1", ":", "é", " "), {
      maxLength: 4,
    })
    .map((parts) => parts.join(""));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      name,
      fc.integer(),
      fc.constantFrom(null, true, false),
      fc.array(tie("value"), { maxLength: 3 }),
      fc
        .array(fc.tuple(fc.oneof(name, fc.constant("__proto__")), tie("value")), { maxLength: 4 })
        .map((members) => Object.fromEntries(members)),
    ),
  }));

  it("gives back whatever was written, its names in their order", () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 4 }), (values) => {
        for (const written of values) {
          const text = JSON.stringify(written, undefined, 1);
          expect(JSON.stringify(readJson(text), undefined, 1)).toBe(text);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("takes the last of two members with one name, however each is written", () => {
    expect(readJson('{"a":1,"\\u0061":2,"b\\n":3}')).toEqual({ a: 2, "b\n": 3 });
  });

  it("tells the reviver names, indexes and sources as JSON.parse does", () => {
    const told: unknown[] = [];
    const text = '{"b\\n": [1.0, {"": 2e1}], "": "x", "x": "\\n"}';
    const read = readJson(text, (name, value, { source }) => {
      told.push([name, source]);
      return typeof value === "number" ? source : value;
    });
    expect(read).toEqual({ "b\n": ["1.0", { "": "2e1" }], "": "x", x: "\n" });
    const revivals = [
      ["0", "1.0"],
      ["", "2e1"],
      ["1", undefined],
      ["b\n", undefined],
    ];
    const rest = [
      ["", '"x"'],
      ["x", '"\\n"'],
      ["", undefined],
    ];
    expect(told.slice(-7)).toEqual([...revivals, ...rest]);
  });

  it.each(['{"a\\n":1', '{"a\\n" 1}', '"\\x"', '{"\\n":1}}', "", '{"a":"\\'])(
    "refuses %j",
    (text) => {
      expect(() => readJson(text)).toThrow(SyntaxError);
    },
  );
});
