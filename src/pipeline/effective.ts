import type { Clock } from "../base/clock.ts";
import type { PermissionSets } from "../cache/permission-sets.ts";
import type { Catalogue } from "../decision/catalogue.ts";
import { PdpError } from "../decision/error.ts";
import { type PermissionSet, stalenessMs } from "../decision/permission-set.ts";
import { addCovered } from "./coverage.ts";
import { statusRefusal } from "./decide.ts";
import type { PermissionSetAnswer, Pipeline } from "./pipeline.ts";
import type { Questions } from "./question.ts";

/** What is needed to tell what a subject can do. */
export interface EffectiveSetDeps {
  readonly questions: Questions;
  readonly permissionSets: PermissionSets;
  readonly clock: Clock;
}

/** Makes the answer to what a subject can do, under the rules of `check` for who may ask. */
export function createEffectiveSet(deps: EffectiveSetDeps): Pipeline["permissionSet"] {
  const { clock, permissionSets, questions } = deps;
  return async ({ application: name, subject, consistency }, { peer, deadline }) => {
    questions.authenticate(subject.id, { peer, deadline });
    const { application, catalogue } = questions.policyOf(name);
    const subjectId = subject.id;
    const set = await permissionSets.get({ application, subjectId, consistency, deadline });
    const refusal = statusRefusal(subject.type, questions.settingsOf(application), set);
    if (refusal === "unknown_subject") {
      const message = `subject.id: no ${subject.type} of this id is known`;
      throw new PdpError("not-found", message, { field: "subject.id" });
    }
    const answer = effectiveSet(set, catalogue, clock.wallMs());
    return { ...answer, stalenessMs: stalenessMs(set, clock) };
  };
}

/** The set without what has expired since it was read, and what it comes to. */
function effectiveSet(
  set: PermissionSet,
  catalogue: Catalogue | undefined,
  nowMs: number,
): Pick<PermissionSetAnswer, "set" | "effective"> {
  const classes = set.classes.filter(
    ({ conditions }) => conditions.expiresAtMs === undefined || nowMs < conditions.expiresAtMs,
  );
  const found = new Set<string>();
  if (catalogue !== undefined && set.status !== "disabled") {
    const grants = classes.flatMap((one) => one.grants);
    addCovered(found, new Set(grants.flatMap((grant) => grant.patterns)), catalogue);
  }
  return { set: { ...set, classes }, effective: [...found].sort() };
}
