import { randomInt } from "node:crypto";
import { loadPolicy } from "@open-policy-agent/opa-wasm";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { buildWasm, opaEval } from "../../test/support/opa.ts";
import { evaluate, loadTestPolicy } from "../../test/support/wasm-policy.ts";
import type { InputDocument, KeptDocument, Policy } from "./policy.ts";

/** Each member is one way to look at an input; those that don't apply are absent. */
const rego = `package probe

echo := input.echo

# Wasm writes members in the order of its buckets, OPA itself in that of names.
marshalled := json.marshal(input.echo)

outcome["holds"] := true if input.user.permissions[_] == concat(":", [input.resource, input.action])

outcome["held"] := sort([p | some p in input.user.permissions])

outcome["count"] := count(input.user.permissions)

outcome["names"] := sort([name | some name, _ in input.echo])

outcome["values"] := sort([value | some value in input.echo])

outcome["kind"] := type_name(input.echo)

outcome["found"] := object.get(input.echo, input.resource, "none")

# Not upper or lower, for which wasm has older tables of Unicode.
outcome["replaced"] := replace(input.resource, "a", "ü")

outcome["parts"] := split(input.action, ":")

outcome["length"] := count(input.resource)

outcome["sum"] := sum([n | some n in input.numbers])

outcome["largest"] := max(input.numbers)

outcome["product"] := input.numbers[0] * input.numbers[1]

outcome["less"] := input.numbers[0] < input.numbers[1]

outcome["walked"] := count([path | walk(input.echo, [path, _])])

outcome["swapped"] := swapped if {
	swapped := both with input.resource as input.user.id
}

both := [input.resource, input.user.id]

outcome["kept"] := sort([p | some p in input.user.permissions]) if {
	not shadowed with input.user.permissions as {"x"}
}

shadowed if input.user.permissions[_] != "x"

outcome["matches"] := regex.match("^a.*", input.action)

outcome["globs"] := glob.match("a*", [":"], input.action)

outcome["text"] := json.unmarshal(json.marshal(input.echo))

outcome["equal"] := input.echo == input.other

outcome["data"] := data.table[input.resource]
`;
const data = { table: { read: 1, write: [2], ü: { three: 3 } } };
const files = { "probe.rego": rego, "data.json": JSON.stringify(data) };
const entrypoints = ["probe/outcome", "probe/echo", "probe/marshalled"];

const word = fc.oneof(
  fc.constantFrom("read", "write", "a:b", "", "ü", "user", "__proto__", "constructor", "\u0000"),
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: "binary-ascii", maxLength: 120 }),
);
const json = fc.jsonValue({ maxDepth: 5, stringUnit: "grapheme" });
const small = fc.integer({ min: -1000, max: 1000 });
const wide = fc.oneof(small, fc.maxSafeInteger());

interface Sample {
  readonly user: { readonly id: string; readonly permissions: readonly string[] };
  readonly rest: InputDocument;
}

const sample: fc.Arbitrary<Sample> = fc.record({
  user: fc.record({ id: word, permissions: fc.uniqueArray(word, { maxLength: 12 }) }),
  rest: fc.record({
    resource: word,
    action: word,
    numbers: fc.array(wide, { maxLength: 6 }),
    echo: json as fc.Arbitrary<InputDocument[string]>,
    other: json as fc.Arbitrary<InputDocument[string]>,
  }),
});

function keptUser({ user }: Sample): KeptDocument {
  const set = user.permissions.map((permission) => JSON.stringify(permission)).join(",");
  const text = `{"id":${JSON.stringify(user.id)},"permissions":${set === "" ? "set()" : `{${set}}`}}`;
  return { text: () => text };
}

function whole({ user, rest }: Sample): InputDocument {
  return { ...rest, user };
}

/** For comparison with JSON from elsewhere: `-0` is `0` there, and objects have a prototype. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

let policy: Policy;
let npmPolicy: Awaited<ReturnType<typeof loadPolicy>>;

beforeAll(async () => {
  policy = await loadTestPolicy({ files, entrypoints });
  const built = buildWasm(files, entrypoints);
  npmPolicy = await loadPolicy(built.wasm);
  npmPolicy.setData(data);
});

function ours(entrypoint: string, input: Sample): unknown {
  const result = evaluate(policy, entrypoint, { input: input.rest, kept: keptUser(input) });
  if (result.kind === "failed") throw new Error(`${result.why}: ${result.message}`);
  return result.kind === "value" ? plain(result.value) : undefined;
}

describe("evaluate()", () => {
  it("agrees with npm opa-wasm, input by input", () => {
    fc.assert(
      fc.property(sample, (input) => {
        for (const entrypoint of entrypoints) {
          const [theirs] = npmPolicy.evaluate(whole(input), entrypoint) as [{ result: unknown }?];
          expect(ours(entrypoint, input)).toEqual(plain(theirs?.result));
        }
      }),
      { numRuns: 250 },
    );
  });

  it("agrees with opa eval on the same inputs", () => {
    const seed = randomInt(2 ** 31);
    const samples = fc.sample(sample, { numRuns: 250, seed });
    const theirs = opaEval(
      files,
      "[o | some x in data.inputs; o := data.probe.outcome with input as x]",
      { inputs: samples.map(whole) },
    ) as unknown[];
    samples.forEach((input, index) => {
      const message = `seed ${seed}, sample ${index}: ${JSON.stringify(input)}`;
      expect(ours("probe/outcome", input), message).toEqual(theirs[index]);
    });
  });

  it("takes the same text as JSON.parse, and nothing else", () => {
    const mutated = fc
      .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fc.constantFrom("", "{", "}", ",", "\\", '"', "1"))
      .map(([text, at, insert]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + insert + text.slice(place + Number(at % 3 === 0));
      });
    fc.assert(
      fc.property(mutated, (text) => {
        const result = evaluate(policy, "probe/echo", { input: `{"echo":${text}}` });
        expect(result.kind).toBe(isWholeJson(`{"echo":${text}}`) ? expectedKind(text) : "failed");
      }),
      { numRuns: 500 },
    );
  });

  it("gives documents and text the same answer", () => {
    fc.assert(
      fc.property(json, (value) => {
        const document = { echo: value } as InputDocument;
        expect(evaluate(policy, "probe/echo", { input: document })).toEqual(
          evaluate(policy, "probe/echo", { input: JSON.stringify(document) }),
        );
      }),
      { numRuns: 500 },
    );
  });
});

function isWholeJson(text: string): boolean {
  try {
    return isPassable(JSON.parse(text));
  } catch {
    return false;
  }
}

/** JSON text may hold two things that no input may: lone surrogates and numbers out of range. */
function isPassable(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([name, item]) => name.isWellFormed() && isPassable(item));
}

/** Braces in the text may have closed the object early, and left no member `echo`. */
function expectedKind(text: string): string {
  return "echo" in JSON.parse(`{"echo":${text}}`) ? "value" : "undefined";
}
