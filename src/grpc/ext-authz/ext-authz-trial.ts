/** Answers a check of Envoy's as the door does, and says how the answer came about. */
import { silentLogger } from "../../base/logger.ts";
import { silentMeter } from "../../base/meter.ts";
import type { UnaryCall } from "../../base/unary-handler.ts";
import type { Decision } from "../../decision/decision.ts";
import type { Pipeline } from "../../pipeline/pipeline.ts";
import { readContextExtensions } from "./check-request.ts";
import { createExtAuthz, type ExtAuthzDeps } from "./ext-authz-service.ts";
import type { RouteQuestion, RouteQuestions } from "./route-questions.ts";

/** An answer, and how it came about; any JSON. */
export interface Trial {
  /** The encoded `CheckResponse`, base64. */
  readonly response: string;
  /** Who answers: `rego`, `rbac` or `both`; not there where the request can't be read. */
  readonly way?: string;
  /** What the table of routes makes of the request, where it was asked. */
  readonly route?: RouteQuestion;
  /** In the order in which they were made; the last one is the answer. */
  readonly decisions: readonly TrialDecision[];
}

/** A decision, and what is wrong where a request was refused, or Postern can't answer. */
export interface TrialDecision extends Decision {
  readonly error?: string;
}

/** What is noted while a check is answered. */
interface Notes {
  route: RouteQuestion | undefined;
  readonly decisions: TrialDecision[];
}

/**
 * What the trial asks with: all that the door has but its log and counts, which are for answers. So must
 * the pipeline be one of its own, whose decisions nobody counts or compares.
 */
export interface ExtAuthzTrialDeps extends Omit<ExtAuthzDeps, "logger" | "meter"> {
  readonly routes: RouteQuestions;
}

/** A door that answers one check at a time, so that it is known what belongs to which. */
export function createExtAuthzTrial(
  deps: ExtAuthzTrialDeps,
): (request: Uint8Array, call: UnaryCall) => Promise<Trial> {
  let notes = emptyNotes();
  const [check] = createExtAuthz({
    ...{ ...deps, logger: silentLogger, meter: silentMeter },
    pipeline: notingPipeline(deps.pipeline, () => notes),
    routes: {
      ...deps.routes,
      ask: (...asked) => {
        const question = deps.routes.ask(...asked);
        notes.route = question;
        return question;
      },
    },
  }).handlers.values();
  let last: Promise<unknown> = Promise.resolve();

  async function answer(request: Uint8Array, call: UnaryCall): Promise<Trial> {
    notes = emptyNotes();
    const response = Buffer.from(await check!(request, call)).toString("base64");
    const way = wayOf(request, deps.options.decide);
    const { route, decisions } = notes;
    return { response, ...(way && { way }), ...(route && { route }), decisions };
  }

  return (request, call) => {
    const answered = last.then(() => answer(request, call));
    last = answered.catch(() => {});
    return answered;
  };
}

function emptyNotes(): Notes {
  return { route: undefined, decisions: [] };
}

function wayOf(request: Uint8Array, otherwise: string): string | undefined {
  try {
    return readContextExtensions(request)["postern.decide"] ?? otherwise;
  } catch {
    // Among the decisions it says what is wrong.
    return undefined;
  }
}

/** The pipeline, of which everything is noted that it decides. */
function notingPipeline(pipeline: Pipeline, notes: () => Notes): Pipeline {
  const noted = <Made extends Decision>(decision: Made): Made => {
    notes().decisions.push(decision);
    return decision;
  };
  return {
    ...pipeline,
    check(request, call) {
      const decision = pipeline.check(request, call);
      return decision instanceof Promise ? decision.then(noted) : noted(decision);
    },
    evaluate(query, call) {
      const verdict = pipeline.evaluate(query, call);
      noted(verdict.decision);
      return verdict;
    },
    refuse(application, reason, cause) {
      const decision = pipeline.refuse(application, reason, cause);
      notes().decisions.push({ ...decision, ...(cause && { error: cause.error.message }) });
      return decision;
    },
  };
}
