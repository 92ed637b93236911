import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { type Term, TermNumber, termInteger, termObject } from "../term-value.ts";
import { BuiltinLimit } from "./builtin.ts";
import { hostBuiltins } from "./registry.ts";

/** What calls of a built-in come to within one evaluation. */
function evaluation(name: string, times: number, ...args: readonly Term[]): () => void {
  return () => {
    const context = builtinContext();
    for (let call = 0; call < times; call += 1) {
      try {
        hostBuiltins.get(name)!(args, context);
      } catch (error) {
        if (error instanceof BuiltinLimit) throw error;
      }
    }
  };
}

function wide(last: string): Term {
  return new TermNumber(`1${"0".repeat(3_000)}${last}`);
}

const networks = Array.from({ length: 4_500 }, (_, index) =>
  [4 * index, 4 * index + 1].map((group) => `1:${group.toString(16)}::/32`),
).flat();

/** A graph of long names, each with two neighbours in the next layer. */
function layers(count: number): Term {
  const name = (layer: number, place: number) => `${"a".repeat(200)}${layer}-${place}`;
  return termObject(
    Array.from({ length: count }, (_, layer) =>
      [0, 1].map((place): [Term, Term] => [
        name(layer, place),
        layer === count - 1 ? [] : [name(layer + 1, 0), name(layer + 1, 1)],
      ]),
    ).flat(),
  );
}

/** 600 MB of it are more than a string may have. */
const indentation = termObject([["indent", " ".repeat(10_000)]]);

describe("built-ins whose arguments a client chooses to be slow", () => {
  it.each<[string, number, ...Term[]]>([
    ["numbers.range_step", 1, wide("00000"), wide("50000"), termInteger(1)],
    ["units.parse_bytes", 50, "1e-32768"],
    ["units.parse", 50, "1e-32768m"],
    ["net.cidr_expand", 1, "2001:db8::/112"],
    ["net.cidr_merge", 1, networks],
    ["net.cidr_contains_matches", 1, networks.slice(0, 900), networks.slice(0, 900)],
    ["regex.replace", 1, "a".repeat(20_000), `${"a?".repeat(130)}b|a`, "x"],
    ["regex.replace", 1, "a".repeat(1_200), `(?:${"a?".repeat(100)})*b|a`, "x"],
    ["regex.replace", 1, "a".repeat(8_000), "(a?)".repeat(300), "x"],
    ["regex.replace", 1, "ab".repeat(4_000), "a[^c]*c|[^c]", "x"],
    ["regex.replace", 2, " a".repeat(100_000), "[^a-z]", "x"],
    ["regex.split", 1, ".{1000}".repeat(300), "a"],
    ["regex.split", 1, "\\pL".repeat(1_000), "a"],
    ["graph.reachable_paths", 1, layers(13), [`${"a".repeat(200)}0-0`]],
    ["json.marshal_with_options", 1, Array(60_000).fill(null), indentation],
    ["time.clock", 3_000, [termInteger(0), "Europe/Zurich"]],
    ["time.clock", 3_000, [termInteger(0), "Nowhere/At_all"]],
    ["sprintf", 1, "%d", [new TermNumber("9".repeat(100_000))]],
  ])("end the evaluation: %s", (name, times, ...args) => {
    expect(evaluation(name, times, ...args)).toThrow(BuiltinLimit);
  });
});

const words = "lorem ipsum 2026 dolor, ".repeat(1_000);

describe("built-ins that look for what repeats in a long text", () => {
  it.each([
    ["regex.replace", words, "\\s+", " "],
    ["regex.replace", words, "[^A-Za-z0-9_.-]+", "-"],
    ["regex.replace", words, "[^[:alnum:]]+", "-"],
    ["regex.replace", words, "\\d{2,4}", "#"],
    ["regex.replace", words, "[0-9]{4} d?", "#"],
    ["regex.split", ",\\s*", words],
    ["regex.split", "\\s*,\\s*", words],
    ["regex.replace", words, "(\\w+) (\\w+)", "$2 $1"],
  ])("take what they cost: %s", (name, ...args) => {
    expect(evaluation(name, 1, ...args)).not.toThrow();
  });
});
