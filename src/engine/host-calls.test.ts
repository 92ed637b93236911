import { beforeAll, describe, expect, it } from "vitest";
import { loadTestPolicy } from "../../test/support/wasm-policy.ts";
import type { EvaluationResult, InputDocument, Policy } from "./policy.ts";

const rego = `package calls

formatted := sprintf("%v and %v", [{3, 1, 2}, 9007199254740993])

undefined_on_error := hex.decode("no hex")

negated if not hex.decode("no hex")

merged := net.cidr_merge(["10.0.0.0/9", "10.128.0.0/9"])

told := time.now_ns()

stable if time.now_ns() == time.now_ns()

unicode := urlquery.encode("Zürich 🔑")

copied := json.patch({"text": input.text, "a": [], "b": [], "c": []}, [copy |
	some [from, to, times] in [["/text", "/a/-", 10], ["/a", "/b/-", 10], ["/b", "/c/-", 30]]
	some _ in numbers.range(1, times)
	copy := {"op": "copy", "from": from, "path": to}
])

many := count([s | some n in numbers.range(1, 2000); s := sprintf("%d-%s", [n, "ü"])])
`;
const rules = [
  ...["formatted", "undefined_on_error", "negated", "merged", "told", "stable", "unicode", "many"],
  "copied",
];

let policy: Policy;

beforeAll(async () => {
  policy = await loadTestPolicy({
    files: { "calls.rego": rego },
    entrypoints: rules.map((rule) => `calls/${rule}`),
  });
});

function ask(rule: string, nowNs = 0n, input: InputDocument = {}): EvaluationResult {
  const entrypoint = policy.entrypoints.get(`calls/${rule}`)!;
  return policy.evaluate({ entrypoint, input, kept: undefined, nowNs });
}

describe("createHostCalls()", () => {
  it("gives built-ins sets and large integers whole", () => {
    expect(ask("formatted")).toEqual({
      kind: "value",
      value: "{1, 2, 3} and 9007199254740993",
    });
  });

  it("takes sets and text beyond ASCII from built-ins", () => {
    expect(ask("merged")).toEqual({ kind: "value", value: ["10.0.0.0/8"] });
    expect(ask("unicode")).toEqual({ kind: "value", value: "Z%C3%BCrich+%F0%9F%94%91" });
  });

  it("makes a built-in's error undefined", () => {
    expect(ask("undefined_on_error")).toEqual({ kind: "undefined" });
    expect(ask("negated")).toEqual({ kind: "value", value: true });
  });

  it("tells each evaluation the time it is given", () => {
    expect(ask("told", 5n)).toEqual({ kind: "value", value: 5 });
    expect(ask("told", 7n)).toEqual({ kind: "value", value: 7 });
    expect(ask("stable", 1_764_219_999_123_456_789n)).toEqual({ kind: "value", value: true });
  });

  it("ends a call before it writes an answer that is too long", () => {
    expect(ask("copied", 0n, { text: "a".repeat(200_000) })).toMatchObject({ why: "budget" });
  });

  it("survives calls by the thousand while memory grows", () => {
    expect(ask("many")).toEqual({ kind: "value", value: 2000 });
    expect(ask("formatted").kind).toBe("value");
  });
});
