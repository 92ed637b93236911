import type { Clock } from "../base/clock.ts";
import { type Deadline, remainingMs } from "../base/deadline.ts";
import type { PermissionSets, SetQuery } from "../cache/permission-sets.ts";
import type { Decision } from "../decision/decision.ts";
import { PdpError, toPdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { AccessRequest } from "../decision/request.ts";
import type { Question } from "./question.ts";
import type { Turns } from "./turns.ts";

/** How long a batch holds the thread before others get a turn. */
const SLICE_MS = 5;

/** The stages of a decision, bound to one call and one instant. */
export interface BatchStages {
  /** A question, or a decision that needs no permission set. Throws `PdpError`. */
  readonly ask: (request: AccessRequest) => Question | Decision;
  readonly setQuery: (question: Question) => SetQuery;
  readonly decide: (question: Question, set: PermissionSet) => Decision;
}

/** What a batch needs besides its stages. */
export interface BatchDeps {
  readonly permissionSets: PermissionSets;
  readonly clock: Clock;
  readonly deadline: Deadline;
  readonly turns: Turns;
}

type Step<T> = T | PdpError;

/**
 * Decides all requests, each set read once. An item that fails is an error in its place; a
 * deadline that passes meanwhile is the error of the whole call, since nobody waits for the rest.
 */
export async function decideBatch(
  requests: readonly AccessRequest[],
  stages: BatchStages,
  deps: BatchDeps,
): Promise<readonly (Decision | PdpError)[]> {
  // Without awaiting in between, so that no activation can come between two items.
  const asked = requests.map((request) => step(() => stages.ask(request)));
  const setOf = await readSets(asked.filter(isQuestion).map(stages.setQuery), deps);
  const results: (Decision | PdpError)[] = [];
  // While other batches have turns to wait for, this one does not begin out of turn.
  if (deps.turns.areTaken()) await nextTurn(deps);
  let sliceEndMs = deps.clock.monotonicMs() + SLICE_MS;
  for (const item of asked) {
    results.push(isQuestion(item) ? decideItem(item, stages, setOf) : item);
    if (deps.clock.monotonicMs() < sliceEndMs) continue;
    await nextTurn(deps);
    sliceEndMs = deps.clock.monotonicMs() + SLICE_MS;
  }
  return results;
}

async function nextTurn({ turns, clock, deadline }: BatchDeps): Promise<void> {
  await turns.next();
  if (remainingMs(clock, deadline) > 0) return;
  throw new PdpError("deadline-exceeded", "the deadline passed within the batch");
}

function decideItem(
  question: Question,
  stages: BatchStages,
  setOf: (query: SetQuery) => Step<PermissionSet>,
): Step<Decision> {
  const set = setOf(stages.setQuery(question));
  return set instanceof PdpError ? set : step(() => stages.decide(question, set));
}

/** Reads each subject's set once, as fresh as the most demanding of its items asks. */
async function readSets(
  queries: readonly SetQuery[],
  { permissionSets }: BatchDeps,
): Promise<(query: SetQuery) => Step<PermissionSet>> {
  const wanted = new Map<string, SetQuery>();
  for (const query of queries) {
    const before = wanted.get(keyOf(query));
    wanted.set(keyOf(query), before === undefined ? query : stricter(before, query));
  }
  const sets = new Map<string, Step<PermissionSet>>();
  await Promise.all(
    [...wanted].map(async ([key, query]) => {
      try {
        sets.set(key, await permissionSets.get(query));
      } catch (error) {
        sets.set(key, toPdpError(error));
      }
    }),
  );
  return (query) => sets.get(keyOf(query))!;
}

/** Application names have no space, so what follows the first one is the subject's id. */
function keyOf({ application, subjectId }: SetQuery): string {
  return `${application} ${subjectId}`;
}

function stricter(one: SetQuery, other: SetQuery): SetQuery {
  const { minimumGeneration, bypassCache } = other.consistency;
  return {
    ...one,
    consistency: {
      minimumGeneration: Math.max(one.consistency.minimumGeneration, minimumGeneration),
      bypassCache: one.consistency.bypassCache || bypassCache,
    },
  };
}

function step<T>(run: () => T): Step<T> {
  try {
    return run();
  } catch (error) {
    return toPdpError(error);
  }
}

function isQuestion(item: Question | Decision | PdpError): item is Question {
  return "request" in item;
}
