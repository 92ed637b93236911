import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { termInteger, termObject } from "../term-value.ts";
import { BuiltinLimit } from "./builtin.ts";
import { graphBuiltins } from "./graph.ts";

const context = builtinContext();

describe("graphBuiltins", () => {
  it("agrees with OPA", () => {
    const calls = [
      ...callsOf(
        "graph.reachable_paths",
        '{"a":["b","c"],"b":["d"],"c":["a"],"d":[]},["a"]',
        '{"a":["x"]},{"a"}',
        '{"a":[]},["a","z"]',
        '{"a":["a"]},["a"]',
        '{"a":{"b"},"b":{"a","c"},"c":null},["a"]',
        "{1:[2],2:[1.0]},[1.0]",
        '{"a":["b"]},"a"',
        '{"a":"b","b":[]},["a"]',
        '{"a":["b","b"],"b":["c"]},["a","a"]',
        '{"a":["a","b"],"b":["a","b"]},["a"]',
      ),
    ];
    expect(disagreements(graphBuiltins, calls)).toEqual([]);
  });

  it("ends a walk over more paths than a result may have", () => {
    const nodes = Array.from({ length: 12 }, (_, index) => termInteger(index));
    const complete = termObject(nodes.map((node) => [node, nodes]));
    expect(() => graphBuiltins["graph.reachable_paths"]!([complete, nodes], context)).toThrow(
      BuiltinLimit,
    );
  });

  it("ends a path that recursion could not follow", () => {
    const chain = termObject(
      Array.from({ length: 20_000 }, (_, index) => [termInteger(index), [termInteger(index + 1)]]),
    );
    expect(() =>
      graphBuiltins["graph.reachable_paths"]!([chain, [termInteger(0)]], context),
    ).toThrow(BuiltinLimit);
  });
});
