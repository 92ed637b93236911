import { describe, expect, it } from "vitest";
import { buildPlan } from "../../test/support/opa.ts";
import { inputReads } from "./input-reads.ts";

/** What the rule `r` of these lines reads. */
function readsOf(rego: string): readonly string[] | undefined {
  const plan = buildPlan({ "a.rego": `package a\n\n${rego}\n` }, ["a/r"]);
  const { plans } = JSON.parse(plan) as { plans: { plans: { name: string }[] } };
  const entrypoints = plans.plans.map(({ name }) => name);
  return inputReads(plan, entrypoints);
}

const everything = undefined;

const statement = (type: string, stmt: object): object => ({ type, stmt });
const local = (value: number): object => ({ type: "local", value });

describe("inputReads()", () => {
  it.each([
    ["the input as the result", "r := input"],
    ["the input within the result", 'r := {"allow": true, "input": input}'],
    ["a variable member", 'r if {\n\tsome x in ["a", "b"]\n\tinput[x]\n}'],
    ["any member", "r if input[_] == 1"],
    ["iteration", "r if {\n\tsome key, value in input\n\tkey == value\n}"],
    ["every member", "r if every value in input { value > 0 }"],
    ["walk", "r contains path if walk(input, [path, 1])"],
    ["object.get", 'r := object.get(input, "a", 1)'],
    ["count", "r if count(input) > 1"],
    ["a comparison", 'r if input == {"a": 1}'],
    ["a comprehension over it", "r := {key | input[key] == 1}"],
    ["an alias", "r if {\n\tx := input\n\tx[_] == 1\n}"],
    ["an array that holds it", "r if {\n\tx := [input]\n\tx[0].a == 1\n}"],
    ["a rule that returns it", "whole := input\n\nr if whole.a == 1"],
    ["a function that gets it", "f(x) if x[_] == 1\n\nr if f(input)"],
    ["with it as data", "r if data.b.x == 1 with data.b as input"],
    ["with it as a part of data", "p if data.b.x.y == 1\n\nr if p with data.b.x as input"],
    ["a member that no path can name", 'r if input["a.b"] == 1'],
  ])("finds that everything is read by %s", (_, rego) => {
    expect(readsOf(rego)).toBe(everything);
  });

  it.each([
    ["nothing", "r := 1", []],
    ["a reference", "r if input.a == 1", ["a"]],
    ["a long reference", "r if input.a.b.c.d.e == 1", ["a.b.c.d.e"]],
    ["the longest that is told apart", "r if input.a.b.c.d.e.f.g.h.i", ["a.b.c.d.e.f.g.h"]],
    ["presence", "r if _ := input.a.b", ["a.b"]],
    ["absence", "r if not input.a", ["a"]],
    ["a type", "r if is_string(input.a.b)", ["a.b"]],
    ["a constant member of a variable", "r if {\n\tx := input.a\n\tx.b == 1\n}", ["a.b"]],
    ["a part and a part of it", "r if {\n\tinput.a.b == 1\n\tcount(input.a) == 1\n}", ["a"]],
    ["presence, and a part of it", "r if {\n\t_ := input.a\n\tinput.a.b == 1\n}", ["a.b"]],
    ["a variable member of a part", "r if {\n\tsome x in [1, 2]\n\tinput.a[x] == 1\n}", ["a"]],
    ["a variable member named by the input", "r if input.a[input.b] == 1", ["a", "b"]],
    ["a member of data named by the input", "r if data.b[input.a] == 1", ["a"]],
    ["iteration over a part", "r if {\n\tsome x in input.a.b\n\tx.c == 1\n}", ["a.b"]],
    ["a built-in", 'r := concat(":", [input.a, input.b])', ["a", "b"]],
    ["a function", "f(x) := x.b.c\n\nr if f(input.a) == 1", ["a.b.c"]],
    ["a function of patterns", "f([x, y]) if x.b == y\n\nr if f([input.a, 1])", ["a"]],
    [
      "a function that hands on",
      "f(x) if g(x.b)\n\ng(x) if x.c == 1\n\nr if f(input.a)",
      ["a.b.c"],
    ],
    ["a function that returns it", "f(x) := x.b\n\nr if f(input.a).c == 1", ["a.b"]],
    ["a default function", "default f(_) := 0\n\nf(x) := x.b\n\nr := f(input.a)", ["a.b"]],
    [
      "a function of a part for another",
      "f(x) if x.c\n\nr if {\n\tf(input.a)\n\tf(input.b)\n}",
      ["a.c", "b.c"],
    ],
    ["a rule that returns an object", 'p := {"x": input.a}\n\nr if p.x == 1', ["a"]],
    [
      "two definitions that must agree",
      "p := input.a\n\np := input.b\n\nr := 1 if p.c",
      ["a", "b"],
    ],
    ["a set of rules", "p contains input.a.b\n\nr if p[1]", ["a.b"]],
    ["a partial object", "p[input.a] := input.b.c\n\nr if p.x == 1", ["a", "b.c"]],
    ["every", "r if every x in input.a { x.b == input.c.d }", ["a", "c.d"]],
    ["a comprehension", "r := [x | x := input.a.b; input.c > 1]", ["a.b", "c"]],
    ["an else", "r := 1 if {\n\tinput.a.b\n} else := 2 if {\n\tinput.c.d\n}", ["a.b", "c.d"]],
    ["a string template", 'r := $"{input.a.b}"', ["a.b"]],
    ["members with odd names", 'r if input["__proto__"]["ö ü"] == 1', ["__proto__.ö ü"]],
  ])("finds what is read by %s", (_, rego, reads) => {
    expect(readsOf(rego)).toEqual(reads);
  });

  it.each([
    ["compares it", "r if {\n\tinput.a.b\n\tinput.a == input.c\n}", ["a", "c"]],
    ["asks whether it is true", "r if {\n\tinput.a.b\n\tinput.a\n}", ["a"]],
    ["lists it", "r := [x | x := input.a; x.b]", ["a"]],
    ["puts it into a set", "r := {x | x := input.a; x.b}", ["a"]],
    ["puts it into an object", 'r := {"x": input.a, "y": input.a.b}', ["a"]],
    ["puts it under names", "r := {x: y | y := input.a; x := y.b}", ["a"]],
    ["names by it", "r := {x: 1 | x := input.a; x.b}", ["a"]],
    ["calls a built-in", "r if {\n\tinput.a.b\n\tcount(input.a) == 1\n}", ["a"]],
    ["iterates over it", "r if {\n\tinput.a.b\n\tsome x in input.a\n\tx.c\n}", ["a"]],
    ["looks up by it", "r if {\n\tinput.a.b\n\tdata.b[input.a]\n}", ["a"]],
    ["takes it apart", "r if {\n\t_ := input.a.b\n\t[1, _] = input.a\n}", ["a"]],
  ])("reads a part as a whole that also %s", (_, rego, reads) => {
    expect(readsOf(rego)).toEqual(reads);
  });

  it.each([
    ["the input replaced", 'p if input.b.c == 1\n\nr if p with input as {"b": 2}', []],
    ["the input replaced by a part", "p if input.b == 1\n\nr if p with input as input.a", ["a.b"]],
    ["a part replaced", "p if input.b.c == 1\n\nr if p with input.b as input.a.x", ["a.x", "b.c"]],
    ["a part of one that is unread replaced", "r if input.b.c with input.d.e as 1", ["b.c", "d"]],
    ["what stands after it", "r if {\n\tinput.b with input as 1\n\tinput.c.d\n}", ["c.d"]],
    ["data replaced", "p if data.b.x.y == 1\n\nr if p with data.b as input.a", ["a"]],
    ["a function replaced", "f(x) if x.b\n\ng(x) if x.c\n\nr if f(input.a) with f as g", ["a.c"]],
    ["a built-in replaced", "g(x) := x.c\n\nr if count(input.a) == 1 with count as g", ["a.c"]],
  ])("follows `with`: %s", (_, rego, reads) => {
    expect(readsOf(rego)).toEqual(reads);
  });

  it("follows rules that are chosen by the input", () => {
    const rules = "kinds.x if input.b == 1\n\nkinds.y if input.c.d == 1";
    expect(readsOf(`${rules}\n\nr if kinds[input.a]`)).toEqual(["a", "b", "c.d"]);
    const plan = buildPlan(
      {
        "a.rego": "package a\n\nr if data.kinds[input.a].ok",
        "x.rego": "package kinds.x\n\nok if input.b == 1",
        "y.rego": "package kinds.y\n\nok if input.c.d == 1",
        "z.rego": "package kinds.z\n\nother if input.e == 1",
      },
      ["a/r"],
    );
    expect(plan).toContain("CallDynamicStmt");
    expect(inputReads(plan, ["a/r"])).toEqual(["a", "b", "c.d"]);
  });

  it("keeps bodies apart that use the same locals for different parts", () => {
    const rego = "r if input.a.b.c == 1\n\nr if input.d == 1\n\nr if input.e[input.f] == 1";
    expect(readsOf(rego)).toEqual(["a.b.c", "d", "e", "f"]);
  });

  it.each([
    [
      "in a later round of a loop",
      statement("ScanStmt", {
        ...{ source: 1, key: 2, value: 3 },
        block: {
          stmts: [
            statement("EqualStmt", { a: local(5), b: local(6) }),
            statement("AssignVarStmt", { source: local(4), target: 5 }),
            statement("AssignVarStmt", { source: local(0), target: 4 }),
          ],
        },
      }),
    ],
    [
      "after a block that ended before it changed the local",
      statement("AssignVarStmt", { source: local(0), target: 4 }),
      statement("BlockStmt", {
        blocks: [
          {
            stmts: [
              statement("IsDefinedStmt", { source: 5 }),
              statement("MakeNullStmt", { target: 4 }),
            ],
          },
        ],
      }),
      statement("EqualStmt", { a: local(4), b: local(4) }),
    ],
    [
      "after the input has been replaced",
      statement("WithStmt", { local: 0, path: null, value: local(5), block: { stmts: null } }),
      statement("EqualStmt", { a: local(0), b: local(5) }),
    ],
    ["by merging it", statement("ObjectMergeStmt", { a: 1, b: 0, target: 2 })],
    ["by returning it", statement("ReturnLocalStmt", { source: 0 })],
    ["as a result", statement("ResultSetAddStmt", { value: 0 })],
    ["by calling by it", statement("CallDynamicStmt", { args: [], path: [local(0)], result: 2 })],
  ])("finds what OPA's planner seldom reads: %s", (_, ...read) => {
    const plan = (...stmts: unknown[]): string =>
      JSON.stringify({
        static: {},
        plans: { plans: [{ name: "r", blocks: [{ stmts }] }] },
        funcs: {},
      });
    expect(inputReads(plan(), ["r"])).toEqual([]);
    expect(inputReads(plan(...read), ["r"])).toBe(everything);
  });

  it("says nothing of a plan that is not what it knows", () => {
    const plan = buildPlan({ "a.rego": "package a\n\nr if input.b == 1\n" }, ["a/r"]);
    expect(inputReads(plan, ["a/r"])).toEqual(["b"]);
    expect(inputReads(plan, [])).toBe(everything);
    expect(inputReads(plan, ["a/r", "a/q"])).toBe(everything);
    const changes: readonly [string, string][] = [
      ['"DotStmt"', '"PointStmt"'],
      ['"DotStmt"', '"__proto__"'],
      ['"string_index"', '"string"'],
      ['"func":"g0.data.a.r"', '"func":"g1.data.a.r"'],
      ['"params":[0,1]', '"params":[0]'],
      ['"source":2', '"source":"2"'],
      ['"blocks":[', '"blocks":{},"blocs":['],
      ["{", "["],
    ];
    for (const [from, to] of changes) {
      expect(plan).toContain(from);
      expect(inputReads(plan.replaceAll(from, to), ["a/r"]), to).toBe(everything);
    }
  });

  it("takes more paths than a manifest may have for everything", () => {
    const rego = (count: number): string =>
      `r if {\n${Array.from({ length: count }, (_, n) => `\tinput.m${n}`).join("\n")}\n}`;
    expect(readsOf(rego(1_000))).toHaveLength(1_000);
    expect(readsOf(rego(1_001))).toBe(everything);
  });
});
