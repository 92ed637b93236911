// What a plan reads of its input is all that matters: OPA's own cases give the same result without
// the rest, and with more of it. Nearly all that they have in their input decides their result.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { inputReads } from "../../src/bundle/input-reads.ts";
import type { EvaluationResult, Policy } from "../../src/engine/policy.ts";
import { buildPlan, type PolicyFiles } from "../support/opa.ts";
import { evaluate, loadTestPolicy } from "../support/wasm-policy.ts";

interface OpaCase {
  readonly note: string;
  readonly entrypoint: string;
  readonly modules: readonly string[];
  /** JSON text. */
  readonly data?: string;
  /** JSON texts. */
  readonly inputs: readonly string[];
}

interface PlanText {
  readonly static: object;
  readonly plans: { readonly plans: readonly { readonly name: string }[] };
  readonly funcs: { readonly funcs: readonly { readonly name: string }[] };
}

const casesFile = join(import.meta.dirname, "opa-cases-with-input.yaml");
const { cases } = parse(readFileSync(casesFile, "utf8")) as { cases: readonly OpaCase[] };
const entrypoints = cases.map(({ entrypoint }) => entrypoint);

// One policy of all, since starting OPA takes longer than all that it does for a case.
let plan: PlanText;
let policy: Policy;

beforeAll(async () => {
  const files: PolicyFiles = Object.fromEntries(
    cases.flatMap((one) =>
      one.modules.map((module, index) => [`${rootOf(one)}-${index}.rego`, module]),
    ),
  );
  plan = JSON.parse(buildPlan(files, entrypoints)) as PlanText;
  const data = cases.flatMap((one) => (one.data ? [`"${rootOf(one)}":${one.data}`] : []));
  policy = await loadTestPolicy({ files, entrypoints, data: `{${data.join(",")}}` });
});

function rootOf({ entrypoint }: OpaCase): string {
  return entrypoint.split("/")[0]!;
}

/** The paths that one case reads, from its own part of the plan. */
function readsOf(one: OpaCase): readonly string[] | undefined {
  const plans = plan.plans.plans.filter(({ name }) => name.startsWith(`${rootOf(one)}/`));
  const prefix = new RegExp(`^g\\d+\\.data\\.${rootOf(one)}\\b`);
  const funcs = plan.funcs.funcs.filter(({ name }) => prefix.test(name));
  const own = { ...plan, plans: { plans }, funcs: { funcs } };
  return inputReads(
    JSON.stringify(own),
    plans.map(({ name }) => name),
  );
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** The value without what is unread below `path`; what isn't an object stays whole. */
function pruned(value: Json, path: string, reads: readonly string[]): Json {
  return eachOnTheWay(value, [path, reads], (members, isRead) => members.filter(isRead));
}

/** The value with more in it that is unread. */
function extended(value: Json, path: string, reads: readonly string[]): Json {
  return eachOnTheWay(value, [path, reads], (members) => [["unread", { a: ["b"] }], ...members]);
}

type Member = readonly [name: string, value: Json];
type Change = (
  members: readonly Member[],
  isRead: (member: Member) => boolean,
) => readonly Member[];

/** Changes the members of each object that isn't read as a whole. */
function eachOnTheWay(
  value: Json,
  [path, reads]: [string, readonly string[]],
  change: Change,
): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const inner = (name: string): string => (path === "" ? name : `${path}.${name}`);
  const isOnTheWay = (name: string): boolean =>
    reads.some((read) => read.startsWith(`${inner(name)}.`));
  const members = Object.entries(value as Record<string, Json>).map(([name, item]): Member => {
    return [name, isOnTheWay(name) ? eachOnTheWay(item, [inner(name), reads], change) : item];
  });
  const isRead = ([name]: Member): boolean => reads.includes(inner(name)) || isOnTheWay(name);
  return Object.fromEntries(change(members, isRead));
}

function answer(one: OpaCase, input: Json): EvaluationResult {
  return evaluate(policy, one.entrypoint, { input: JSON.stringify(input) });
}

describe("inputReads() of OPA's compliance cases", () => {
  it.each(cases)("misses nothing in $note", (one) => {
    const reads = readsOf(one);
    if (reads === undefined) return;
    for (const text of one.inputs) {
      const input = JSON.parse(text) as Json;
      const whole = answer(one, input);
      const without = answer(one, pruned(input, "", reads));
      expect(without, `${text} without all but ${reads}`).toEqual(whole);
      const withMore = answer(one, extended(input, "", reads));
      expect(withMore, `${text} with more than ${reads}`).toEqual(whole);
    }
  });

  it("finds parts in nine of ten cases", () => {
    const found = cases.filter((one) => readsOf(one) !== undefined).length;
    expect(found).toBeGreaterThan(0.9 * cases.length);
  });
});
