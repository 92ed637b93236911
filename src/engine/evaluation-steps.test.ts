import { generateKeyPairSync } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../src/base/sizes.ts";
import { buildWasm } from "../../test/support/opa.ts";
import { evaluate, loadTestPolicy } from "../../test/support/wasm-policy.ts";
import { loadPolicy } from "./load-policy.ts";
import type { Policy } from "./policy.ts";
import { preparePolicy } from "./prepare-policy.ts";

const rego = `package steps

loops if {
	some a in data.numbers
	some b in data.numbers
	some c in data.numbers
	a + b + c == -1
}

patterns if {
	some a in data.texts
	some b in data.texts
	regex.match(concat("", ["^(", a, "|x)*$"]), b)
}

calls := count([s | some a in data.numbers; some b in data.numbers; s := sprintf("%d %d", [a, b])])

search := regex.replace(input.text, "(a|b)*c|a", "x")

subset if object.subset(input.list, input.part)

signature := [v | some n in data.numbers; v := io.jwt.verify_es256(input.token, input.key)]

grown := [x | some a in data.numbers; some b in data.numbers; x := [a, b, data.texts]]

one if regex.match("^(item|x)*-1$", "item-1")

user := input.user.id

range := numbers.range_step(0, 2, 1)
`;
const RULES = [
  ...[
    "loops",
    "patterns",
    "calls",
    "search",
    "subset",
    "signature",
    "grown",
    "one",
    "user",
    "range",
  ],
].map((rule) => `steps/${rule}`);
const numbers = Array.from({ length: 200 }, (_, index) => index);
const data = JSON.stringify({ numbers, texts: numbers.map((n) => `item-${n}`) });
const files = { "steps.rego": rego };

const BUDGET = { kind: "failed", why: "budget" };
/** Of `{}`, with a signature that is none. */
const token = `eyJhbGciOiJFUzI1NiJ9.e30.${Buffer.alloc(64).toString("base64url")}`;
const key = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .publicKey.export({ type: "spki", format: "pem" })
  .toString();

describe("an evaluation that takes too many steps", () => {
  let policy: Policy;

  beforeAll(async () => {
    policy = await loadTestPolicy({ files, entrypoints: RULES, data });
  });

  it.each([
    ["in loops", "steps/loops", {}],
    ["in the guest's regular expressions", "steps/patterns", {}],
    ["in calls of the host", "steps/calls", {}],
    ["in a search of the host's", "steps/search", { text: "a".repeat(2_000) }],
    [
      "in a comparison of the host's",
      "steps/subset",
      { list: Array(3_000).fill(1), part: [...Array(1_500).fill(1), 2] },
    ],
    ["in signatures", "steps/signature", { token, key }],
  ])("ends %s, and leaves the policy as it was", (_where, entrypoint, input) => {
    expect(evaluate(policy, entrypoint, { input })).toMatchObject(BUDGET);
    expect(evaluate(policy, "steps/one")).toEqual({ kind: "value", value: true });
    const kept = { text: () => '{"id":"user-1"}' };
    expect(evaluate(policy, "steps/user", { kept })).toEqual({ kind: "value", value: "user-1" });
  });

  it("takes whole steps for a range", () => {
    expect(evaluate(policy, "steps/range")).toEqual({ kind: "value", value: [0, 1, 2] });
  });

  it("counts anew for each evaluation, and not what parsing a kept document takes", async () => {
    const tight = await loadTestPolicy({ files, entrypoints: RULES, data, stepsMax: 100_000 });
    const groups = Array.from({ length: 20_000 }, (_, index) => `"group-${index}"`).join(",");
    for (let index = 0; index < 3; index += 1) {
      const kept = { text: () => `{"id":"user-1","groups":{${groups}}}` };
      expect(evaluate(tight, "steps/user", { kept })).toEqual({ kind: "value", value: "user-1" });
      expect(evaluate(tight, "steps/loops", { kept })).toMatchObject(BUDGET);
    }
  });

  it("gives the memory that it took to those after it", async () => {
    const grows = await loadTestPolicy({ files, entrypoints: RULES, data, stepsMax: 400_000 });
    expect(evaluate(grows, "steps/grown")).toMatchObject(BUDGET);
    const bytes = grows.memoryBytes();
    for (let index = 0; index < 100; index += 1) evaluate(grows, "steps/grown");
    expect(grows.memoryBytes()).toBe(bytes);
  });
});

describe("an evaluation that is stopped at any of its steps", () => {
  it("leaves the policy as it was", async () => {
    const { wasm } = buildWasm(files, RULES);
    const prepared = await preparePolicy({ wasm, data, memoryMaxBytes: 16 * MiB });
    for (let stepsMax = 9_000; stepsMax < 60_000; stepsMax += 211) {
      const policy = await loadPolicy(prepared, {
        ...{ yieldToLoop: async () => {}, chunkBytes: MiB, keptBytesMax: MiB, stepsMax },
      });
      expect(evaluate(policy, "steps/patterns")).toMatchObject(BUDGET);
      expect([stepsMax, evaluate(policy, "steps/one")]).toEqual([
        stepsMax,
        { kind: "value", value: true },
      ]);
    }
  });
});
