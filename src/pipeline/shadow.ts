/**
 * Evaluates a candidate beside the policy in force: for the same request, at the same instant, once
 * the answer is given, and in spare time. Not for answering: nothing that a candidate says or does
 * gets into a decision.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import type { Timers } from "../base/timers.ts";
import type { ActivePolicies, ActivePolicy } from "../bundle/active-policy.ts";
import type { Candidates } from "../bundle/candidates.ts";
import { type Decision, type DecisionFrame, deny } from "../decision/decision.ts";
import { toPdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { createDecide } from "./decide.ts";
import { createFailureLog, type FailureLog } from "./failure-log.ts";
import type { PolicyQuery, PolicyVerdict } from "./pipeline.ts";
import { evaluateQuery, type QueryInstant } from "./policy-query.ts";
import { type Question, unknownPermission } from "./question.ts";
import { compareAnswers, type ShadowAnswer } from "./shadow-comparison.ts";
import type { ShadowOptions } from "./shadow-options.ts";
import {
  idleReport,
  type RefusedCandidate,
  type ShadowExample,
  type ShadowReport,
  ShadowTally,
} from "./shadow-report.ts";
import { createSpareTime } from "./spare-time.ts";

/** Is told of each decision, and lets the candidate of its application make it as well. */
export interface Shadow {
  checked(decision: Decision, question: Question, set: PermissionSet): void;
  evaluated<Detail>(
    verdict: PolicyVerdict<Detail>,
    query: PolicyQuery<Detail>,
    instant: QueryInstant,
  ): void;
  /** How each candidate fares, by application. */
  report(): readonly (ShadowReport | RefusedCandidate)[];
}

/** What shadow evaluation is made of. */
export interface ShadowDeps {
  readonly policies: ActivePolicies;
  readonly candidates: Pick<Candidates, "get" | "list">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly options: ShadowOptions;
  /** From 0 up to 1; chooses the sample. */
  readonly random: () => number;
}

/** A decision that was made, and how the candidate makes it. */
interface Made {
  readonly given: ShadowAnswer & { readonly decision: Decision };
  readonly again: (candidate: ActivePolicy, frame: DecisionFrame) => ShadowAnswer;
  readonly about: () => ShadowExample["request"];
}

/** Two policies, and what comes of comparing them. */
interface Pair {
  readonly active: ActivePolicy;
  readonly candidate: ActivePolicy;
  readonly tally: ShadowTally;
}

/** An evaluation of some microseconds that takes this long harms those who wait behind it. */
const OVERRUN_MS = 100;
/** One may be the machine's fault. */
const OVERRUNS_MAX = 3;

/** Makes the shadow evaluation. */
export function createShadow(deps: ShadowDeps): Shadow {
  const { candidates, clock, logger, options, policies, random } = deps;
  const failed = "The candidate's evaluation failed. What was answered stands.";
  const failures = createFailureLog(logger, clock, failed);
  const decide = createDecide(failures);
  const count = createCounter(deps.meter);
  const pairOf = createPairs(deps);
  const evaluate = createEvaluate({ clock, logger, failures, count });
  const spareTime = createSpareTime({ ...deps, ...options });

  function offer(active: ActivePolicy, made: Made): void {
    const pair = pairOf(active);
    if (pair === undefined || isStopped(pair.tally)) return;
    if (random() >= options.sampleRatio) return;
    const isTaken = spareTime.offer(() => {
      const isCurrent = pairOf(active)?.candidate === pair.candidate;
      if (isCurrent && !isStopped(pair.tally)) evaluate(pair, made);
      else drop(pair);
    });
    if (!isTaken) drop(pair);
  }

  function drop({ active, tally }: Pair): void {
    tally.dropped();
    count(active.application, "dropped");
  }

  return {
    checked(decision, question, set) {
      offer(question.active, {
        given: { decision, detail: undefined },
        again: (candidate, frame) => {
          const asked = { ...question, active: candidate };
          const refusal = unknownPermission(asked);
          const again = refusal === undefined ? decide(asked, set, frame) : deny(frame, refusal);
          return { decision: again, detail: undefined };
        },
        about: () => aboutQuestion(question),
      });
    },
    evaluated(verdict, query, { active, nowNs }) {
      offer(active, {
        given: verdict,
        again: (candidate, frame) =>
          evaluateQuery(query, { active: candidate, nowNs, frame, failures }),
        about: () => ({ document: query.path, ...query.about?.() }),
      });
    },
    report: () =>
      candidates.list().map((candidate) => {
        const { application } = candidate;
        if (candidate.kind === "refused") {
          const { stage, error } = candidate;
          return { application, state: "refused", stage, error };
        }
        const { policy } = candidate;
        const active = policies.get(application);
        const pair = active && pairOf(active);
        if (pair === undefined) return idleReport(policy, active, clock.wallMs());
        return pair.tally.report(isStopped(pair.tally) ? "stopped" : "comparing");
      }),
  };
}

interface EvaluateParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly failures: FailureLog;
  readonly count: CountResult;
}

/** Makes the evaluation of what was decided by the candidate. It does not throw. */
function createEvaluate(parts: EvaluateParts): (pair: Pair, made: Made) => void {
  const { clock, count, failures, logger } = parts;

  function answerOf(candidate: ActivePolicy, { given, again }: Made): ShadowAnswer {
    const frame = { ...given.decision, revision: candidate.revision };
    try {
      return again(candidate, frame);
    } catch (thrown) {
      const { kind, message, cause } = toPdpError(thrown);
      const reason = kind === "not-found" ? "unavailable:policy" : "unavailable:internal";
      failures.add(frame, { why: reason, message, cause });
      return { decision: deny(frame, reason), detail: undefined };
    }
  }

  return ({ candidate, tally }, made) => {
    const { application, revision } = candidate;
    const startMs = clock.monotonicMs();
    const answer = answerOf(candidate, made);
    if (clock.monotonicMs() - startMs > OVERRUN_MS) {
      tally.overran();
      if (isStopped(tally)) logger.error({ application, revision }, STOPPED);
    }
    const difference = compareAnswers(made.given, answer);
    if (difference === undefined) {
      tally.same();
      count(application, "same");
      return;
    }
    const { decisionId } = made.given.decision;
    tally.differed(difference, () => ({ decisionId, atMs: clock.wallMs(), request: made.about() }));
    count(application, difference.kind === "failed" ? "failed" : "different");
  };
}

const STOPPED =
  `Candidate stopped: ${OVERRUNS_MAX} of its evaluations took more than ${OVERRUN_MS} ms. ` +
  "It is not evaluated until it is replaced.";

function isStopped(tally: ShadowTally): boolean {
  return tally.overruns >= OVERRUNS_MAX;
}

/** What may be shown of a question: names, no properties and no context. */
function aboutQuestion({ request, permission }: Question): ShadowExample["request"] {
  const { subject, resource } = request;
  return {
    subject: `${subject.type}:${subject.id}`,
    permission,
    ...(resource.id !== undefined && { resource_id: resource.id }),
  };
}

/**
 * Makes the pairs to compare; `undefined` = there are none. Counts are kept for as long as both
 * policies are there, and keep neither alive.
 */
function createPairs({
  policies,
  candidates,
  clock,
}: ShadowDeps): (active: ActivePolicy) => Pair | undefined {
  const tallies = new WeakMap<ActivePolicy, WeakMap<ActivePolicy, ShadowTally>>();

  function tallyOf(active: ActivePolicy, candidate: ActivePolicy): ShadowTally {
    const byActive = tallies.get(candidate) ?? new WeakMap<ActivePolicy, ShadowTally>();
    tallies.set(candidate, byActive);
    const tally = byActive.get(active) ?? new ShadowTally(active, candidate, clock.wallMs());
    byActive.set(active, tally);
    return tally;
  }

  return (active) => {
    const candidate = candidates.get(active.application);
    if (candidate === undefined || candidate.digest === active.digest) return undefined;
    // What has been replaced meanwhile is no longer what the candidate would replace.
    if (policies.get(active.application) !== active) return undefined;
    return { active, candidate, tally: tallyOf(active, candidate) };
  };
}

/** What an evaluation came to. */
type ShadowResult = "same" | "different" | "failed" | "dropped";

/** Counts what came of an evaluation. */
type CountResult = (application: string, result: ShadowResult) => void;

function createCounter(meter: Meter): CountResult {
  const evaluations = meter.counter({
    name: "postern_shadow_evaluations_total",
    help: "Decisions offered to a candidate, by application and what came of it.",
    labels: ["application", "result"],
  });
  return (application, result) => evaluations.add(1, { application, result });
}
