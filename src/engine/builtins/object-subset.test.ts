import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { BuiltinLimit } from "./builtin.ts";
import { objectSubsetBuiltins } from "./object-subset.ts";

const context = builtinContext();

describe("objectSubsetBuiltins", () => {
  it("agrees with OPA", () => {
    const calls = [
      ...callsOf(
        "object.subset",
        '{"a":1,"b":{"c":[1,2,3]}},{"b":{"c":[2,3]}}',
        '{"a":1},{"a":1.0}',
        "{1,2},{1}",
        "[1,2,1,2,3],[1,2,3]",
        "[1,1,2],[1,2]",
        "[],[]",
        "[1],[]",
        "[1,2],{1}",
        "[1,1],{1,2}",
        "[],set()",
        "[1],set()",
        '{"a":1},{"b":1}',
        "1,2",
        '{"a":{1,2}},{"a":{1}}',
        '{"a":[1]},{"a":{1}}',
        "{1},[1]",
      ),
    ];
    expect(disagreements(objectSubsetBuiltins, calls)).toEqual([]);
  });

  it("ends a search that would take too long", () => {
    const whole = new Array(10_000).fill(true);
    const part = [...new Array(5_000).fill(true), false];
    expect(() => objectSubsetBuiltins["object.subset"]!([whole, part], context)).toThrow(
      BuiltinLimit,
    );
  });
});
