import type { Catalogue } from "../decision/catalogue.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { addCovered } from "./coverage.ts";
import type { PermissionSetAnswer } from "./pipeline.ts";

/** The set without what has expired since it was read, and what it comes to. */
export function effectiveSet(
  set: PermissionSet,
  catalogue: Catalogue | undefined,
  nowMs: number,
): PermissionSetAnswer {
  const classes = set.classes.filter(
    ({ conditions }) => conditions.expiresAtMs === undefined || nowMs < conditions.expiresAtMs,
  );
  const found = new Set<string>();
  if (catalogue !== undefined && set.status !== "disabled") {
    const patterns = new Set(classes.flatMap(({ grants }) => grants.flatMap((g) => g.patterns)));
    addCovered(found, patterns, catalogue);
  }
  return { set: { ...set, classes }, effective: [...found].sort() };
}
