import type { ActivePolicy } from "../bundle/active-policy.ts";
import type { IndeterminateReason } from "../decision/decision.ts";
import type { JsonValue } from "../decision/json.ts";
import type { Evaluation } from "../engine/policy.ts";
import { type Reading, readDocument, readRules } from "./result.ts";

/** What a policy answered: something readable, or nothing that could be used. */
export type PolicyAnswer =
  | { readonly kind: "read"; readonly reading: Reading }
  | { readonly kind: "failed"; readonly why: IndeterminateReason; readonly message: string };

/** Everything an evaluation needs but the entrypoint. */
export type EvaluationInput = Omit<Evaluation, "entrypoint">;

/** Evaluates the entrypoints that decide, and reads what they return. */
export function evaluatePolicy(active: ActivePolicy, input: EvaluationInput): PolicyAnswer {
  const { entrypoints } = active;
  if (entrypoints.kind === "document") {
    const result = evaluate(active, input, entrypoints.document);
    return result.kind === "failed" ? result : answer(readDocument(result.value));
  }
  const allow = evaluate(active, input, entrypoints.allow);
  if (allow.kind === "failed") return allow;
  const deny = evaluate(active, input, entrypoints.deny);
  if (deny.kind === "failed") return deny;
  const mfa = evaluate(active, input, entrypoints.mfaRequired);
  if (mfa.kind === "failed") return mfa;
  return answer(readRules({ allow: allow.value, deny: deny.value, mfaRequired: mfa.value }));
}

type RuleResult =
  | { readonly kind: "value"; readonly value: JsonValue | undefined }
  | Extract<PolicyAnswer, { kind: "failed" }>;

const noValue: RuleResult = { kind: "value", value: undefined };

function evaluate(
  { policy }: ActivePolicy,
  input: EvaluationInput,
  entrypoint: number | undefined,
): RuleResult {
  if (entrypoint === undefined) return noValue;
  const { input: text, kept, nowNs } = input;
  const result = policy.evaluate({ entrypoint, input: text, kept, nowNs });
  return result.kind === "undefined" ? noValue : result;
}

function answer(reading: Reading | undefined): PolicyAnswer {
  if (reading !== undefined) return { kind: "read", reading };
  const message = "the result has none of the documented shapes";
  return { kind: "failed", why: "result", message };
}
