import { describe, expect, it } from "vitest";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { jsonMarshalBuiltins } from "./json-marshal.ts";

describe("jsonMarshalBuiltins", () => {
  it("agrees with OPA", () => {
    const calls = [
      ...callsOf(
        "json.marshal_with_options",
        '{"b":[1,2.50,{"x"}],"a":{}},{}',
        '{"b":[1,2.50,{"x"}],"a":{},"e":[],"s":set()},{"indent":"  "}',
        '[1],{"prefix":">","indent":"-"}',
        '[1,[2,[]]],{"prefix":">"}',
        '[1],{"pretty":true}',
        '[1],{"pretty":false,"indent":" "}',
        '[1],{"pretty":1}',
        '[1],{"foo":1}',
        '{1:2,[1,"<"]:3,"😀":1,"\\uffee":2},{}',
        '"<>&\\u2028\\u0008\\u0001\\u007f",{}',
        '1,{"indent":1}',
      ),
    ];
    expect(disagreements(jsonMarshalBuiltins, calls)).toEqual([]);
  });
});
