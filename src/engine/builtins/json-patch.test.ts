import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { formatTerm, parseTerm, type Term } from "../term.ts";
import { termObject } from "../term-value.ts";
import { BuiltinError, BuiltinLimit } from "./builtin.ts";
import { jsonPatchBuiltins } from "./json-patch.ts";

const patch = (target: string, operations: string): string =>
  formatTerm(
    jsonPatchBuiltins["json.patch"]!([parseTerm(target), parseTerm(operations)], builtinContext()),
  );

const operation = (op: string, path: string, rest = ""): string =>
  `[{"op":"${op}","path":${path}${rest}}]`;

const TARGET = '{"a":1,"b":{"c":[1,2,{"d":3}]},"s":{"x",{"y":1},[1]},"":0,"~/":4,"t":[[1],[2]]}';

const PATHS = [
  ...[
    '""',
    '"/"',
    '"/a"',
    '"a"',
    '"//a"',
    '"/b/c"',
    '"/b/c/0"',
    '"/b/c/-"',
    '"/b/c/3"',
    '"/b/c/4"',
  ],
  ...['"/b/c/-1"', '"/b/c/00"', '"/b/c/01"', '"/b/c/+1"', '"/b/c/1.0"', '"/b/c/."', '"/b/c/2/d"'],
  ...['"/b/c/x"', '"/z"', '"/z/z"', '"/a/b"', '"/~0~1"', '"/s/x"', '"/s/z"', '["s",{"y":1}]'],
  ...['["s",{"y":1},"y"]', '["s",[1],0]', '["s",[2]]', '["b","c",1]', '["b","c",1.0]'],
  ...['["b","c",1e0]', "[]", "1", "null", '{"a"}', '["a",null]', '"/t/1/0"'],
];

const VALUES = ["9", '"z"', '{"y":1}', "[1]", "1"];

describe("json.patch", () => {
  it("agrees with OPA on one operation, wherever it points", () => {
    const added = PATHS.flatMap((path) => [
      operation("remove", path),
      ...VALUES.flatMap((value) =>
        ["add", "replace", "test"].map((op) => operation(op, path, `,"value":${value}`)),
      ),
      ...PATHS.flatMap((from) =>
        ["move", "copy"].map((op) => operation(op, path, `,"from":${from}`)),
      ),
    ]);
    // OPA panics where the whole document is removed.
    const calls = added
      .filter((operations) => !/"remove","path":(?:""|\[\])\}/.test(operations))
      .map((operations) => `${TARGET},${operations}`);
    expect(disagreements(jsonPatchBuiltins, callsOf("json.patch", ...calls))).toEqual([]);
  });

  it("agrees with OPA on what is no patch", () => {
    const calls = callsOf(
      "json.patch",
      ...['{},[{"op":"add","path":"/a"}]', '{},[{"op":"add","value":1}]', '{},[{"path":"/a"}]'],
      ...['{},[{"op":1,"path":"/a"}]', '{},[{"op":"x","path":"/a"}]', "{},[1]", "{},{}", "1,[]"],
      ...['{},[{"op":"copy","path":"/a"}]', '{},[{"op":"test","path":""}]', '"a",[]', "set(),[]"],
      '1,[{"op":"replace","path":"","value":2}]',
    );
    expect(disagreements(jsonPatchBuiltins, calls)).toEqual([]);
  });

  it("reaches the elements of a shifted array where they are", () => {
    const shifted = '{"op":"remove","path":"/0"},{"op":"add","path":"/0/c","value":3}';
    expect(patch('[{"a":1},{"b":2}]', `[${shifted}]`)).toBe('[{"b":2,"c":3}]');
  });

  it("is undefined where the whole document was removed", () => {
    expect(() => patch("{}", operation("remove", '""'))).toThrow(BuiltinError);
    expect(patch("{}", '[{"op":"remove","path":""},{"op":"add","path":"","value":1}]')).toBe("1");
  });

  it("refuses a document that doubles with every copy", () => {
    const copies = Array.from(
      { length: 40 },
      (_, index) => `{"op":"copy","from":"","path":"/${index}"}`,
    );
    expect(() => patch('{"a":1}', `[${copies.join()}]`)).toThrow(BuiltinLimit);
  });

  it("refuses a document that grows too deep", () => {
    const path: Term[] = [];
    const operations = Array.from({ length: 600 }, () => {
      path.push("a");
      return termObject([
        ["op", "add"],
        ["path", [...path]],
        ["value", termObject([])],
      ]);
    });
    const args = [termObject([]), operations];
    expect(() => jsonPatchBuiltins["json.patch"]!(args, builtinContext())).toThrow(BuiltinLimit);
  });
});
