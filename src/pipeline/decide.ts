import {
  type AllowBasis,
  allow,
  type Decision,
  type DecisionFrame,
  type DenyReason,
  deny,
  type Reason,
} from "../decision/decision.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { SubjectType } from "../decision/request.ts";
import type { Circumstances } from "./activation.ts";
import { evaluatePolicy, type PolicyAnswer } from "./evaluation.ts";
import type { FailureLog } from "./failure-log.ts";
import { grantBasis, mfaObligation, restrictionReason } from "./grant.ts";
import { inputOf } from "./input.ts";
import { type ApplicationSettings, type Question, statedAddress } from "./question.ts";
import type { Reading } from "./result.ts";
import {
  type CompiledSet,
  claimsText,
  createSetCompiler,
  type Variant,
  variantOf,
} from "./variant.ts";

/** Decides a question with the permission set of its subject. */
export type Decide = (question: Question, set: PermissionSet, frame: DecisionFrame) => Decision;

/** What is known once the set is there; shared by the attempts at one question. */
interface Situation {
  readonly question: Question;
  readonly compiled: CompiledSet;
  readonly circumstances: Circumstances;
  readonly claims: string;
}

/** One evaluation with the assignments that are active under an assumption about MFA. */
interface Attempt {
  readonly variant: Variant;
  readonly answer: PolicyAnswer;
}

/** Makes the stages after the permission set: status, activation, evaluation, MFA, reason. */
export function createDecide(failures: FailureLog): Decide {
  const compile = createSetCompiler();
  return (question, set, frame) => {
    const refusal = statusRefusal(question.request.subject.type, question.settings, set);
    if (refusal !== undefined) return deny(frame, refusal);
    const situation = situationOf(question, compile(set, question.active));

    const asIs = attempt(situation, question.mfaFresh);
    if (asIs.answer.kind === "failed") return indeterminate(asIs.answer);
    const { reading } = asIs.answer;
    if (permits(reading) && (question.mfaFresh || !reading.asksForMfa)) {
      return allow(frame, basisOf(question, asIs.variant, reading));
    }
    if (question.mfaFresh) return denied(asIs, reading);

    const verified = attempt(situation, true);
    if (verified.answer.kind === "failed") return indeterminate(verified.answer);
    if (permits(verified.answer.reading)) {
      const stepUp = mfaObligation("step-up", question.settings.mfaMaxAgeSeconds);
      return deny(frame, "mfa_required", [stepUp]);
    }
    // What stands in the way as things are, unless that was the evidence alone.
    return permits(reading) ? denied(verified, verified.answer.reading) : denied(asIs, reading);

    function indeterminate(answer: Extract<PolicyAnswer, { kind: "failed" }>): Decision {
      failures.add(frame, { ...answer, notes: question.notes });
      return deny(frame, `indeterminate:${answer.why}`);
    }

    function denied({ variant }: Attempt, from: Reading): Decision {
      return deny(frame, denyReason(situation, variant, from), from.obligations);
    }
  };
}

/** Why the subject is not decided about at all; a subject of another type is another subject. */
export function statusRefusal(
  type: SubjectType,
  { unknownSubjects }: ApplicationSettings,
  set: PermissionSet,
): Extract<Reason, "unknown_subject" | "subject_disabled"> | undefined {
  if (type !== set.subject.type) return "unknown_subject";
  if (set.status === "disabled") return "subject_disabled";
  if (set.status === "active") return undefined;
  // Default roles are for people; a service nobody knows has nothing.
  const hasDefaults = unknownSubjects === "default-roles" && type === "user";
  return hasDefaults ? undefined : "unknown_subject";
}

function situationOf(question: Question, compiled: CompiledSet): Situation {
  const { now, properties, mtls, request, trust } = question;
  const circumstances: Circumstances = {
    nowMs: now.ms,
    resourceId: request.resource.id,
    properties,
    address: compiled.hasWhitelists ? statedAddress(question) : undefined,
    mtls,
  };
  const claims =
    trust.subjectProperties.length === 0
      ? ""
      : claimsText(trust.subjectProperties, request.subject.properties, compiled.set);
  return { question, compiled, circumstances, claims };
}

/** Evaluates with fresh evidence, given or assumed, or without. */
function attempt(situation: Situation, mfaFresh: boolean): Attempt {
  const { question, compiled, circumstances, claims } = situation;
  const variant = variantOf(compiled, { circumstances, mfaFresh, claims });
  const assumeFresh = mfaFresh && !question.mfaFresh;
  const answer = evaluatePolicy(question.active, {
    input: inputOf(question, assumeFresh),
    kept: variant.kept,
    nowNs: question.now.ns,
  });
  return { variant, answer };
}

/** Deny overrides. */
function permits(reading: Reading): boolean {
  return reading.allows && !reading.denies;
}

function basisOf(question: Question, variant: Variant, reading: Reading): AllowBasis {
  const { request, permission, settings } = question;
  const { mfaMaxAgeSeconds } = settings;
  const { obligations } = reading;
  const basis = grantBasis(variant, { request, permission, mfaMaxAgeSeconds });
  if (basis === undefined) {
    const reason = `policy:${reading.reason ?? "allow"}` as const;
    return { reason, obligations, grant: undefined, roles: variant.roles };
  }
  if (obligations.length === 0) return basis;
  return { ...basis, obligations: [...basis.obligations, ...obligations] };
}

function denyReason(situation: Situation, variant: Variant, reading: Reading): DenyReason {
  const { question, compiled, circumstances } = situation;
  const { request, permission, settings } = question;
  if (reading.denies) return `deny:${reading.denyId ?? "policy"}`;
  if (!reading.allows && reading.reason !== undefined) return `deny:${reading.reason}`;
  const { mfaMaxAgeSeconds } = settings;
  if (grantBasis(variant, { request, permission, mfaMaxAgeSeconds })) return "deny:policy";
  return (
    restrictionReason(compiled, request, circumstances) ??
    `missing:${request.resource.type}:${request.action.name}`
  );
}
