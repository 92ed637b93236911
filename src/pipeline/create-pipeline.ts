import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import type { ActivePolicies, ActivePolicy } from "../bundle/active-policy.ts";
import type { PermissionSets, SetQuery } from "../cache/permission-sets.ts";
import { type Decision, type DecisionFrame, type DenyReason, deny } from "../decision/decision.ts";
import { PdpError } from "../decision/error.ts";
import { type PermissionSet, stalenessMs } from "../decision/permission-set.ts";
import type { AccessRequest } from "../decision/request.ts";
import { decideBatch } from "./batch.ts";
import { createDecide } from "./decide.ts";
import { type CountDecision, createDecisionCounter } from "./decision-counter.ts";
import { createEffectiveSet } from "./effective.ts";
import { createFailureLog, type FailureLog } from "./failure-log.ts";
import type { Instant } from "./local-time.ts";
import type { PipelineOptions } from "./options.ts";
import type { CallContext, MfaAnswer, Pipeline, RefusalCause } from "./pipeline.ts";
import { createPolicyQueries } from "./policy-query.ts";
import {
  createQuestions,
  type Question,
  type Questions,
  unknownPermission,
  withoutEvidence,
} from "./question.ts";
import type { Shadow } from "./shadow.ts";
import { createTurns } from "./turns.ts";

/** What the pipeline is made of. */
export interface PipelineDeps {
  readonly policies: ActivePolicies;
  readonly permissionSets: PermissionSets;
  readonly clock: Clock;
  /** Makes decision ids. */
  readonly createId: () => string;
  readonly meter: Meter;
  readonly logger: Logger;
  readonly options: PipelineOptions;
  /** Is told of what policies have decided; `undefined` = there are no candidates. */
  readonly shadow?: Shadow | undefined;
}

/** The stages of one decision. Between `refuse` and `decide` the permission set is read. */
interface Stages {
  /** Trust, the policy in force, the instant. */
  ask(request: AccessRequest, call: CallContext, now: Instant): Question;
  /** What is denied without a permission set: a permission that the catalogue does not have. */
  refuse(question: Question): Decision | undefined;
  setQuery(question: Question, call: CallContext): SetQuery;
  /** Status, activation, evaluation, MFA, reason. */
  decide(question: Question, set: PermissionSet): Decision;
}

/** Makes the pipeline. Throws for options that can't hold, such as an unknown time zone. */
export function createPipeline(deps: PipelineDeps): Pipeline {
  const { clock, permissionSets, shadow } = deps;
  const questions = createQuestions(deps);
  const failures = createFailureLog(deps.logger, clock);
  const frameOf = createFrames(deps);
  const stages = createStages({ ask: questions.ask, frameOf, failures });
  const count = createDecisionCounter(deps.meter);

  function counted(decision: Decision): Decision {
    count(decision);
    return decision;
  }

  function decided(question: Question, set: PermissionSet): Decision {
    const decision = counted(stages.decide(question, set));
    shadow?.checked(decision, question, set);
    return decision;
  }

  function check(request: AccessRequest, call: CallContext): Decision | Promise<Decision> {
    const question = stages.ask(request, call, questions.now());
    const refusal = stages.refuse(question);
    if (refusal !== undefined) return counted(refusal);
    const set = permissionSets.get(stages.setQuery(question, call));
    if (!(set instanceof Promise)) return decided(question, set);
    return set.then((arrived) => decided(question, arrived));
  }

  function mfaRequired(request: AccessRequest, call: CallContext): MfaAnswer | Promise<MfaAnswer> {
    const question = stages.ask(request, call, questions.now());
    const refusal = stages.refuse(question);
    if (refusal !== undefined) return mfaAnswer(question, refusal, false);
    const answer = (set: PermissionSet): MfaAnswer => {
      const decision = stages.decide(question, set);
      const rests =
        decision.allowed &&
        question.mfaFresh &&
        !stages.decide(withoutEvidence(question), set).allowed;
      return mfaAnswer(question, decision, rests);
    };
    const set = permissionSets.get(stages.setQuery(question, call));
    return set instanceof Promise ? set.then(answer) : answer(set);
  }

  const checkBatch = createBatches({ ...deps, stages, questions, count });
  const permissionSet = createEffectiveSet({ questions, permissionSets, clock });
  const evaluate = createPolicyQueries({ questions, frameOf, failures, counted, shadow });
  function refuse(application: string, reason: DenyReason, refused?: RefusalCause): Decision {
    const frame = frameOf({ application, revision: "" });
    if (refused !== undefined) {
      const { error, notes } = refused;
      failures.add(frame, { why: reason, message: error.message, cause: error.cause, notes });
    }
    return counted(deny(frame, reason));
  }
  const { trusts } = questions;
  const serves = (application: string) => deps.policies.get(application) !== undefined;
  return { check, checkBatch, mfaRequired, permissionSet, evaluate, trusts, serves, refuse };
}

interface BatchParts extends PipelineDeps {
  readonly stages: Stages;
  readonly questions: Questions;
  readonly count: CountDecision;
}

function createBatches(parts: BatchParts): Pipeline["checkBatch"] {
  const { clock, count, permissionSets, questions, shadow, stages } = parts;
  const turns = createTurns();
  return async (requests, call) => {
    const now = questions.now();
    // Candidates come after the whole batch, which they would hold up.
    const told: (() => void)[] = [];
    const results = await decideBatch(
      requests,
      {
        ask: (request) => {
          const question = stages.ask(request, call, now);
          return stages.refuse(question) ?? question;
        },
        setQuery: (question) => stages.setQuery(question, call),
        decide: (question, set) => {
          const decision = stages.decide(question, set);
          if (shadow !== undefined) told.push(() => shadow.checked(decision, question, set));
          return decision;
        },
      },
      { permissionSets, clock, turns, deadline: call.deadline },
    );
    for (const result of results) if (!(result instanceof PdpError)) count(result);
    for (const tell of told) tell();
    return results;
  };
}

/** Makes the frame of a decision by a policy, about the subject of a set where there is one. */
type FrameOf = (
  policy: Pick<ActivePolicy, "application" | "revision">,
  set?: PermissionSet,
) => DecisionFrame;

function createFrames({ createId, clock }: PipelineDeps): FrameOf {
  return ({ application, revision }, set) => ({
    decisionId: createId(),
    application,
    revision,
    generation: set?.generation ?? 0,
    stalenessMs: set === undefined ? 0 : stalenessMs(set, clock),
  });
}

interface StagesParts {
  readonly ask: Stages["ask"];
  readonly frameOf: FrameOf;
  readonly failures: FailureLog;
}

function createStages({ ask, frameOf, failures }: StagesParts): Stages {
  const decide = createDecide(failures);

  return {
    ask,
    refuse(question) {
      const reason = unknownPermission(question);
      return reason && deny(frameOf(question.active), reason);
    },
    setQuery: ({ active, request }, call) => ({
      application: active.application,
      subjectId: request.subject.id,
      consistency: request.consistency,
      deadline: call.deadline,
    }),
    decide: (question, set) => decide(question, set, frameOf(question.active, set)),
  };
}

function mfaAnswer(question: Question, decision: Decision, satisfied: boolean): MfaAnswer {
  return {
    required: decision.mfaRequired || satisfied,
    satisfied,
    reason: decision.reason,
    stalenessMs: decision.stalenessMs,
    maxAgeSeconds: question.settings.mfaMaxAgeSeconds,
  };
}
