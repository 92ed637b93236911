import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { termInteger } from "../term-value.ts";
import { BuiltinLimit } from "./builtin.ts";
import { ITEMS_MAX } from "./limits.ts";
import { stringBuiltins } from "./strings.ts";

const context = builtinContext();

describe("stringBuiltins", () => {
  it("agrees with OPA", () => {
    const calls = [
      ...callsOf(
        "indexof_n",
        '"aaa","aa"',
        '"a😀b😀","😀"',
        '"","a"',
        '"a",""',
        '1,"a"',
        '"éaéa","a"',
      ),
      ...callsOf("strings.count", '"aaa","aa"', '"a😀b😀","😀"', '"😀é",""', '"",""', '"abc","z"'),
      ...callsOf(
        "strings.split_n",
        '"a,b,c",",",2',
        '"a,b,c",",",0',
        '"a,b,c",",",-2',
        '"a,b,c",",",-9',
        '"a,b,c",",",9',
        '"a😀b","",2',
        '"","",-1',
        '"",",",3',
        '"a,b",",",1.0',
        '"a,b",",",1.5',
        '"a,b",",",1e0',
        '"a,b",",",9223372036854775807',
        '"a,b",",",9223372036854775808',
      ),
      ...callsOf(
        "strings.any_prefix_match",
        '"abc","ab"',
        '["x","abc"],["q","ab"]',
        '{"x","abc"},{"q"}',
        '[],["a"]',
        '["a"],[]',
        '["a",1],"a"',
        '"a",["a",1]',
        '"",[""]',
        '["😀a"],["😀"]',
        '{"a":1},"a"',
      ),
      ...callsOf(
        "strings.any_suffix_match",
        '"abc","bc"',
        '["x","abc"],["q","c"]',
        '{"x","abc"},{"q"}',
        '"a😀",["😀"]',
        '["ab"],"b"',
        '"b",{"b"}',
      ),
    ];
    expect(disagreements(stringBuiltins, calls)).toEqual([]);
  });

  it("refuses more positions than a result may have", () => {
    const text = "a".repeat(ITEMS_MAX + 1);
    expect(() => stringBuiltins["indexof_n"]!([text, "a"], context)).toThrow(BuiltinLimit);
  });

  it("takes time linear in text and search", () => {
    const text = "a".repeat(200_000);
    const search = `${"a".repeat(100_000)}b`;
    expect(stringBuiltins["strings.count"]!([text, search], context)).toEqual(termInteger(0));
  });
});
