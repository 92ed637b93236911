import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { BuiltinUnsupported } from "./builtin.ts";
import { urlqueryBuiltins } from "./urlquery.ts";

const context = builtinContext();

describe("urlqueryBuiltins", () => {
  it("agrees with OPA", () => {
    const calls = [
      ...callsOf("urlquery.encode", `"a b&c=d!*'()~-_./é😀+%"`, '""'),
      ...callsOf("urlquery.decode", '"a+b%20c%C3%A9"', '"%"', '"%zz"', '"%4"', '"é+"'),
      ...callsOf(
        "urlquery.encode_object",
        '{"b":"x y","a":["1","2"],"c":{"z","y"},"d":[]}',
        '{"a":1}',
        '{"a":[1]}',
        '{1:"x",null:"y"}',
        "[]",
      ),
      ...callsOf(
        "urlquery.decode_object",
        '"a=1&b=2&a=3"',
        '""',
        '"a"',
        '"=x"',
        '"a=%zz"',
        '"a;b=1"',
        '"&&a=b=c"',
        '"a+b=c+d"',
      ),
    ];
    expect(disagreements(urlqueryBuiltins, calls)).toEqual([]);
  });

  it("refuses bytes that no string can hold", () => {
    expect(() => urlqueryBuiltins["urlquery.decode"]!(["%ff"], context)).toThrow(
      BuiltinUnsupported,
    );
  });
});
