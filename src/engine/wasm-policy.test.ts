import { beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../src/base/sizes.ts";
import { evaluate, loadTestPolicy } from "../../test/support/wasm-policy.ts";
import type { InputDocument, KeptDocument, Policy } from "./policy.ts";

const rego = `package probe

echo := input

user := input.user

holds if input.user.permissions[concat(":", [input.resource, input.action])]

both := "left" if input.both

both := "right" if input.both

wide[name] := value if {
	some name in input.names
	some value in input.values
}

grown := count(walked) if {
	walked := [[x, y, z] |
		some x in numbers.range(1, 100)
		some y in numbers.range(1, 100)
		some z in numbers.range(1, 100)
	]
}

overridden := [before, after, input.user.id] if {
	before := input.user.permissions
	after := input.user.permissions with input.user.permissions as {"other"}
}

world := data.world

kinds := {
	"set": {3, "x", [1], {"k": 1}, null, true, 1.5, -1},
	"numbers": [9007199254740993, 0.1, 1e300, -0],
	"names": {"__proto__": 1, "constructor": 2, "": 3},
	"escaped": "Zürich \\u0000 \\"🔑\\"",
}
`;
const entrypoints = [
  ...["echo", "user", "holds", "both", "wide", "grown", "overridden", "world", "kinds"],
].map((rule) => `probe/${rule}`);
const files = { "probe.rego": rego, "data.json": '{"world":{"round":true,"sizes":[1,2,3]}}' };

function keptUser(permissions: readonly string[], id = "user-1"): KeptDocument {
  const set =
    permissions.length === 0 ? "set()" : `{${permissions.map((p) => `"${p}"`).join(",")}}`;
  return { text: () => `{"id":${JSON.stringify(id)},"permissions":${set}}` };
}

let policy: Policy;

beforeAll(async () => {
  policy = await loadTestPolicy({ files, entrypoints });
});

function echo(input: InputDocument | string): unknown {
  return evaluate(policy, "probe/echo", { input });
}

/** The echo fails; the instance answers the next question all the same. */
function expectRefused(input: InputDocument | string, message: RegExp): void {
  expect(echo(input)).toMatchObject({
    kind: "failed",
    why: "input",
    message: expect.stringMatching(message),
  });
  expect(echo({ after: 1 })).toMatchObject({ kind: "value", value: { after: 1 } });
}

describe("evaluate(): the input gate", () => {
  it("refuses text that is not JSON", () => {
    for (const text of ['{"a":', "", "{} x", "{1,2}", "set()", '{"a":1,}', "\ufeff{}", "NaN"]) {
      expectRefused(text, /not JSON/);
    }
  });

  it("refuses lone surrogates in values and names, plain and escaped", () => {
    expectRefused({ x: "\ud800" }, /lone surrogate/);
    expectRefused({ ["\udc00"]: 1 }, /lone surrogate/);
    expectRefused({ x: [{ y: `${"x".repeat(200)}\ud800` }] }, /lone surrogate/);
    expectRefused('{"x":"\\ud800"}', /lone surrogate/);
  });

  it("refuses what is nested deeper than 68", () => {
    const nested = (depth: number): string => `${"[".repeat(depth)}1${"]".repeat(depth)}`;
    expect(echo(nested(64))).toMatchObject({ kind: "value" });
    // Deep enough to be taken, and too deep to be given back as a result.
    expect(echo(nested(68))).toMatchObject({ kind: "failed", why: "result" });
    expectRefused(nested(69), /deeper than 68/);
    expectRefused(nested(10_000), /deeper than 68|not JSON/);
  });

  it("refuses what is larger than 256 KiB", () => {
    expectRefused({ x: "x".repeat(256 * 1024) }, /larger than/);
    expectRefused({ x: new Array(200_000).fill(1) }, /larger than/);
    expectRefused(`{"x":"${"é".repeat(130 * 1024)}"}`, /larger than/);
  });

  it("refuses values that JSON has not", () => {
    expectRefused({ x: Number.NaN }, /NaN/);
    expectRefused({ x: undefined } as unknown as InputDocument, /undefined/);
    expectRefused({ x: () => 1 } as unknown as InputDocument, /function/);
  });

  it("takes null and false as inputs", () => {
    expect(echo("null")).toEqual({ kind: "value", value: null });
    expect(echo("false")).toEqual({ kind: "value", value: false });
  });

  it("takes inputs near the limit, of every shape", () => {
    for (const x of [new Array(30_000).fill(1), new Array(15_000).fill({}), "é".repeat(80_000)]) {
      const count = evaluate(policy, "probe/wide", { input: { x, names: ["n"], values: [1] } });
      expect(count).toEqual({ kind: "value", value: { n: 1 } });
    }
  });

  it("passes every value on as it is", () => {
    const input = {
      text: 'Zürich 🔑 \u0000\u001f"\\',
      numbers: [0, -1, 1.5, 1e21, 4294967296, -4294967297, Number.MAX_SAFE_INTEGER],
      words: [true, false, null],
      "": {},
      many: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`n${i}`, i])),
      ...JSON.parse('{"__proto__":1,"constructor":{"prototype":2}}'),
    };
    expect(JSON.stringify(sorted((echo(input) as { value: unknown }).value))).toBe(
      JSON.stringify(sorted(input)),
    );
  });
});

describe("evaluate(): inputs of many shapes", () => {
  it("writes each as it is, whatever shapes there were before", () => {
    for (let index = 0; index < 600; index += 1) {
      const input = {
        [`name-${index}`]: { [`inner-${index % 7}`]: index, same: { deep: [{ deep: index }] } },
        ["long".repeat(20)]: { [`${"x".repeat(70)}${index % 3}`]: { index } },
        same: index % 2 === 0 ? { a: index, b: { c: index } } : { b: { c: null }, a: [index] },
        always: { a: index, b: { c: index } },
      };
      const result = echo(input) as { value: unknown };
      expect(JSON.stringify(sorted(result.value))).toBe(JSON.stringify(sorted(input)));
    }
  });

  it("keeps the objects of one input apart", () => {
    const twin = { a: 1, b: { c: 2 } };
    const other = { a: 3, b: { c: 4 } };
    for (let round = 0; round < 3; round += 1) {
      const input = { first: twin, second: other, third: [twin, other, { a: 5, b: { c: 6 } }] };
      const result = echo(input) as { value: unknown };
      expect(JSON.stringify(sorted(result.value))).toBe(JSON.stringify(sorted(input)));
    }
  });
});

describe("evaluate(): kept documents", () => {
  it("parses a document once", () => {
    let calls = 0;
    const kept = {
      text: () => {
        calls += 1;
        return '{"permissions":{"agent:execute"}}';
      },
    };
    for (let index = 0; index < 3; index += 1) {
      const result = evaluate(policy, "probe/holds", {
        input: { resource: "agent", action: "execute" },
        kept,
      });
      expect(result).toEqual({ kind: "value", value: true });
    }
    expect(calls).toBe(1);
  });

  it("is input.user, whatever the input says", () => {
    const input = { user: { id: "impostor" }, resource: "r" };
    const result = evaluate(policy, "probe/user", { input, kept: keptUser(["b", "a"]) });
    expect(result).toEqual({ kind: "value", value: { id: "user-1", permissions: ["a", "b"] } });
    expect(evaluate(policy, "probe/user", { input: "1", kept: keptUser([]) })).toMatchObject({
      kind: "failed",
      why: "input",
    });
  });

  it("refuses malformed documents and parses them again next time", () => {
    for (const text of ["{", "", '{"a":"\ud800"}', '"\\ud800"']) {
      const kept = { text: () => text };
      expect(evaluate(policy, "probe/user", { kept }).kind).toBe("failed");
    }
    expect(evaluate(policy, "probe/user", { kept: keptUser([]) }).kind).toBe("value");
  });

  it("survives `with` on a part of it", () => {
    const kept = keptUser(["mine"]);
    const expected = { kind: "value", value: [["mine"], ["other"], "user-1"] };
    expect(evaluate(policy, "probe/overridden", { kept })).toEqual(expected);
    expect(evaluate(policy, "probe/overridden", { kept })).toEqual(expected);
  });

  it("keeps the document for which the others had to go", async () => {
    const small = await loadTestPolicy({ files, entrypoints, keptBytesMax: 256 * 1024 });
    const permissions = Array.from({ length: 300 }, (_, index) => `r${index}:a`);
    for (let index = 0; index < 12; index += 1) {
      let calls = 0;
      const { text } = keptUser(permissions, `user-${index}`);
      const kept = {
        text: () => {
          calls += 1;
          return text();
        },
      };
      for (let again = 0; again < 3; again += 1) evaluate(small, "probe/world", { kept });
      expect(calls).toBe(1);
    }
  });

  it("answers right when documents come, go and outgrow their room", async () => {
    const small = await loadTestPolicy({ files, entrypoints, keptBytesMax: 256 * 1024 });
    const documents = Array.from({ length: 60 }, (_, index) =>
      keptUser(
        // The last ones are larger than the room of all together.
        Array.from({ length: index < 55 ? 20 + index : 3_000 }, (_, n) => `${index}:${n}`),
        `user-${index}`,
      ),
    );
    const memory: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      for (let step = 0; step < 60; step += 1) {
        const index = (step * 7 + round) % 60;
        const input = { resource: String(index), action: "19" };
        const kept = documents[index]!;
        expect(evaluate(small, "probe/holds", { input, kept }).kind).toBe("value");
        expect(
          evaluate(small, "probe/holds", { input: { ...input, resource: "99" }, kept }).kind,
        ).toBe("undefined");
      }
      memory.push(small.memoryBytes());
    }
    expect(memory[5]).toBe(memory[1]);
  });
});

describe("evaluate(): results", () => {
  it("tells undefined from false", () => {
    expect(evaluate(policy, "probe/holds", { input: {} })).toEqual({ kind: "undefined" });
    expect(evaluate(policy, "probe/echo", { input: "false" })).toEqual({
      kind: "value",
      value: false,
    });
  });

  it("gives every kind of value, sets in Rego's order, objects without a prototype", () => {
    const { value } = evaluate(policy, "probe/kinds") as { value: Record<string, unknown> };
    expect(Object.getPrototypeOf(value)).toBe(null);
    expect(value["set"]).toEqual([null, true, -1, 1.5, 3, "x", [1], { k: 1 }]);
    expect(value["numbers"]).toEqual([9007199254740992, 0.1, 1e300, -0]);
    expect(Object.keys(value["names"] as object).sort()).toEqual(["", "__proto__", "constructor"]);
    expect(value["escaped"]).toBe('Zürich \u0000 "🔑"');
  });

  it("reads the data", () => {
    expect(evaluate(policy, "probe/world")).toEqual({
      kind: "value",
      value: { round: true, sizes: [1, 2, 3] },
    });
  });

  it("refuses a result that is too large", () => {
    expect(echo({ x: "x".repeat(70_000) })).toMatchObject({ kind: "failed", why: "result" });
    expect(echo({ x: new Array(9_000).fill(1) })).toMatchObject({ kind: "failed", why: "result" });
  });
});

describe("evaluate(): repair", () => {
  const kept = keptUser(["agent:execute"]);
  const question = { input: { resource: "agent", action: "execute" }, kept };

  it("tells conflicts, traps and budgets apart", async () => {
    expect(evaluate(policy, "probe/both", { input: { both: true } })).toMatchObject({
      kind: "failed",
      why: "conflict",
    });
    const input = { names: ["a"], values: [1, 2] };
    expect(evaluate(policy, "probe/wide", { input })).toMatchObject({ why: "conflict" });
    const trap = policy.evaluate({ entrypoint: 999, input: {}, kept: undefined, nowNs: 0n });
    expect(trap).toMatchObject({ kind: "failed", why: "trap" });
    const tight = await loadTestPolicy({ files, entrypoints, memoryMaxBytes: 8 * MiB });
    expect(evaluate(tight, "probe/grown")).toMatchObject({ kind: "failed", why: "budget" });
    expect(evaluate(tight, "probe/holds", question)).toEqual({ kind: "value", value: true });
  });

  it("answers right after 100,000 failures in a row, of every kind", async () => {
    const tight = await loadTestPolicy({ files, entrypoints, memoryMaxBytes: 8 * MiB });
    expect(evaluate(tight, "probe/holds", question).kind).toBe("value");
    const memory = tight.memoryBytes();
    // Three in each round.
    for (let index = 0; index < 34_000; index += 1) {
      evaluate(tight, "probe/both", { input: { both: true }, kept });
      tight.evaluate({ entrypoint: 999, input: { index }, kept, nowNs: 0n });
      evaluate(tight, "probe/user", { kept: { text: () => '{"a":"\\ud800"}' } });
    }
    for (let index = 0; index < 20; index += 1) evaluate(tight, "probe/grown", { kept });
    expect(evaluate(tight, "probe/holds", question)).toEqual({ kind: "value", value: true });
    expect(evaluate(tight, "probe/world")).toMatchObject({ value: { round: true } });
    expect(memory).toBeLessThanOrEqual(tight.memoryBytes());
    expect(tight.memoryBytes()).toBeLessThanOrEqual(8 * MiB);
  });
});

/** With members in the order of their names, null prototypes aside. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => [name, sorted(member)]);
}
