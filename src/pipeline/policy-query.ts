import type { ActivePolicy } from "../bundle/active-policy.ts";
import { allow, type Decision, type DecisionFrame, deny } from "../decision/decision.ts";
import { PdpError } from "../decision/error.ts";
import type { JsonValue } from "../decision/json.ts";
import type { FailureLog } from "./failure-log.ts";
import type {
  CallContext,
  Pipeline,
  PolicyQuery,
  PolicyReading,
  PolicyVerdict,
} from "./pipeline.ts";
import type { Questions } from "./question.ts";
import type { Shadow } from "./shadow.ts";

/** What questions to policies alone need. */
export interface PolicyQueriesDeps {
  readonly questions: Questions;
  readonly frameOf: (policy: ActivePolicy) => DecisionFrame;
  readonly failures: FailureLog;
  readonly counted: (decision: Decision) => Decision;
  readonly shadow: Shadow | undefined;
}

/** Where a policy has a document: an entrypoint, and the members below it. */
interface DocumentPlace {
  readonly entrypoint: number;
  readonly members: readonly string[];
}

/** By which policy a question is answered, and as of when. */
export interface QueryInstant {
  readonly active: ActivePolicy;
  readonly nowNs: bigint;
}

/** Makes `Pipeline.evaluate`. */
export function createPolicyQueries(deps: PolicyQueriesDeps): Pipeline["evaluate"] {
  const { questions, frameOf, failures, counted, shadow } = deps;

  return <Detail>(query: PolicyQuery<Detail>, call: CallContext): PolicyVerdict<Detail> => {
    // The policy may decide about anybody.
    questions.authenticate("", call);
    const active = questions.policyOf(query.application);
    const nowNs = questions.now().ns;
    const { notes } = call;
    const frame = frameOf(active);
    const verdict = evaluateQuery(query, { active, nowNs, frame, failures, notes });
    counted(verdict.decision);
    shadow?.evaluated(verdict, query, { active, nowNs });
    return verdict;
  };
}

/** What one evaluation needs besides the question. */
export interface QueryEvaluation extends QueryInstant {
  readonly frame: DecisionFrame;
  readonly failures: FailureLog;
  /** Of the call; none where nobody waits for the answer. */
  readonly notes?: CallContext["notes"];
}

/** Asks the policy. Throws `PdpError` `not-found` for a path that it has no entrypoint for. */
export function evaluateQuery<Detail>(
  query: PolicyQuery<Detail>,
  { active, nowNs, frame, failures, notes }: QueryEvaluation,
): PolicyVerdict<Detail> {
  const { entrypoint, members } = placeOf(active, query.path);
  const input = query.input(active.reads.parts);
  const result = active.policy.evaluate({ entrypoint, input, kept: undefined, nowNs });
  if (result.kind === "failed") {
    failures.add(frame, { ...result, notes });
    return { decision: deny(frame, `indeterminate:${result.why}`), detail: undefined };
  }
  const document = result.kind === "value" ? memberAt(result.value, members) : undefined;
  if (document === undefined) return { decision: deny(frame, "deny:undefined"), detail: undefined };
  const reading = query.read(document);
  if (reading === undefined) {
    const message = `${query.path} has none of the documented shapes`;
    failures.add(frame, { why: "result", message, notes });
    return { decision: deny(frame, "indeterminate:result"), detail: undefined };
  }
  const { error, detail } = reading;
  if (error !== undefined) failures.add(frame, { why: "error", message: error, notes });
  return { decision: decisionOf(reading, frame), detail };
}

function decisionOf({ allows, error }: PolicyReading<unknown>, frame: DecisionFrame): Decision {
  if (error !== undefined) return deny(frame, "deny:error");
  return allows === true
    ? allow(frame, { reason: "policy:allow", obligations: [], grant: undefined, roles: [] })
    : deny(frame, "deny:policy");
}

const noMembers: readonly string[] = [];

/** Of each policy the place that was asked for last: most are asked for one. */
const lastPlaces = new WeakMap<
  ActivePolicy,
  { readonly path: string; readonly place: DocumentPlace }
>();

function placeOf(active: ActivePolicy, path: string): DocumentPlace {
  const last = lastPlaces.get(active);
  if (last?.path === path) return last.place;
  const place = findPlace(active, path);
  lastPlaces.set(active, { path, place });
  return place;
}

/** The entrypoint that is the path, or the nearest above it. */
function findPlace({ application, policy }: ActivePolicy, path: string): DocumentPlace {
  const exact = policy.entrypoints.get(path);
  if (exact !== undefined) return { entrypoint: exact, members: noMembers };
  const parts = path.split("/");
  for (let length = parts.length - 1; length > 0; length -= 1) {
    const entrypoint = policy.entrypoints.get(parts.slice(0, length).join("/"));
    if (entrypoint !== undefined) return { entrypoint, members: parts.slice(length) };
  }
  const has = [...policy.entrypoints.keys()].join(", ");
  throw new PdpError(
    "not-found",
    `path: ${JSON.stringify(path)} is none of the documents of ${application}; it has ${has}`,
    { field: "path" },
  );
}

function memberAt(value: JsonValue, members: readonly string[]): JsonValue | undefined {
  let at: JsonValue | undefined = value;
  for (const name of members) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as { readonly [name: string]: JsonValue })[name];
  }
  return at;
}
