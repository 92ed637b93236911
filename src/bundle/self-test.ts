import type { Clock } from "../base/clock.ts";
import type { EvaluationResult, KeptDocument, Policy } from "../engine/policy.ts";
import type { DecisionEntrypoints } from "./active-policy.ts";
import { BundleRefused, quoted } from "./bundle-refused.ts";
import { isObject, member, type ParsedObject } from "./json-text.ts";
import type { BundleOptions } from "./options.ts";
import type { SelfTestCase } from "./self-test-cases.ts";

/** A policy that is about to come into force, and what it has to show first. */
export interface SelfTest {
  readonly policy: Policy;
  readonly entrypoints: DecisionEntrypoints;
  readonly cases: readonly SelfTestCase[];
  readonly wantsArrays: boolean;
  readonly clock: Clock;
  readonly options: Pick<BundleOptions, "selfTestTimeoutMs" | "warmUpEvaluations">;
  /** Lets the thread serve others. */
  readonly yieldToLoop: () => Promise<void>;
}

/** Longest stretch without a yield, so that answers under the old revision are not held up. */
const STRETCH_MS = 5;

const warmUpInput: ParsedObject = {
  user: { id: "warm-up", type: "user", roles: [], permissions: [], groups: [], mfaVerified: false },
  resource: "warm-up",
  action: "warm-up",
  context: {},
};

/** Runs the bundle's own cases, then a warm-up. Throws `BundleRefused`. */
export async function runSelfTest(test: SelfTest): Promise<void> {
  const { cases, options } = test;
  const pace = createPace(test);
  for (const { name, input, allow } of cases) {
    const result = evaluate(test, input);
    if (result.kind === "failed") {
      throw refused(`the case ${quoted(name)} fails: ${result.why}: ${result.message}`);
    }
    const actual = allows(result);
    if (actual !== allow) {
      throw refused(`the case ${quoted(name)} expects allow = ${allow} and gets ${actual}`);
    }
    await pace();
  }
  for (let count = 0; count < options.warmUpEvaluations; count++) {
    const result = evaluate(test, warmUpInput);
    // A conflict is the policy's own answer to an unusual input. These two would be every answer's.
    if (result.kind === "failed" && (result.why === "trap" || result.why === "budget")) {
      throw refused(`it can't be evaluated: ${result.why}: ${result.message}`);
    }
    await pace();
  }
}

function createPace({ clock, options, yieldToLoop }: SelfTest): () => Promise<void> {
  const start = clock.monotonicMs();
  let stretchStart = start;
  return async () => {
    const elapsed = clock.monotonicMs();
    if (elapsed - start > options.selfTestTimeoutMs) {
      throw refused(`it takes longer than ${options.selfTestTimeoutMs} ms (self_test_timeout_ms)`);
    }
    if (elapsed - stretchStart < STRETCH_MS) return;
    await yieldToLoop();
    stretchStart = clock.monotonicMs();
  };
}

function evaluate(test: SelfTest, input: ParsedObject): EvaluationResult {
  const { policy, entrypoints, wantsArrays, clock } = test;
  const user = member(input, "user");
  const kept = isObject(user) ? keptUser(user, wantsArrays) : undefined;
  const rest = Object.entries(input).filter(([name]) => kept === undefined || name !== "user");
  return policy.evaluate({
    entrypoint: entrypoints.kind === "document" ? entrypoints.document : entrypoints.allow,
    input: objectText(rest.map(([name, value]) => [name, JSON.stringify(value)])),
    kept,
    nowNs: clock.wallNs(),
  });
}

const SET_MEMBERS = new Set(["roles", "permissions", "groups"]);

function keptUser(user: ParsedObject, wantsArrays: boolean): KeptDocument {
  const members = Object.entries(user).map(([name, value]): [string, string] => {
    const isSet = !wantsArrays && SET_MEMBERS.has(name) && Array.isArray(value);
    return [name, isSet ? setText(value) : JSON.stringify(value)];
  });
  const text = objectText(members);
  return { text: () => text };
}

/** Rego text of an object; its values are Rego text already, and may be sets. */
function objectText(members: readonly [string, string][]): string {
  return `{${members.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;
}

function setText(items: readonly unknown[]): string {
  return items.length === 0 ? "set()" : `{${items.map((item) => JSON.stringify(item)).join(",")}}`;
}

function allows(result: EvaluationResult): boolean {
  if (result.kind !== "value") return false;
  const { value } = result;
  if (!isObject(value)) return value === true;
  return (member(value, "allow") ?? member(value, "allowed")) === true;
}

function refused(message: string): BundleRefused {
  return new BundleRefused("self-test", message);
}
