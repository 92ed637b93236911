import type { PlanItem } from "./plan.ts";
import type { AssignmentRecord, MappingRecord, RoleRecord, SubjectRecord } from "./records.ts";
import { canonicalJson } from "./records.ts";

interface Customisable<R> {
  readonly record: R;
  readonly isSystem: boolean;
  readonly isCustomised: boolean;
}

/** The plan's line for a role that differs, be it only by whose it is. */
export function describeRole(
  application: string,
  from: Customisable<RoleRecord> | undefined,
  to: Customisable<RoleRecord>,
): PlanItem {
  const old = from?.record;
  const { record } = to;
  const details = [
    ...valueChange("description", old?.description ?? "", record.description),
    ...valueChange("assignment", old?.assignment, record.assignment),
    ...listChange("permissions", old?.permissions, record.permissions),
    ...listChange("inheritsFrom", old?.inheritsFrom, record.inheritsFrom),
    ...valueChange("mfa", old?.restrictions.mfa ?? "none", record.restrictions.mfa),
    ...listChange("ipWhitelist", old?.restrictions.ipWhitelist, record.restrictions.ipWhitelist),
    ...valueChange(
      "authentication",
      old?.restrictions.authentication,
      record.restrictions.authentication,
    ),
    ...valueChange(
      "limits",
      canonicalJson(old?.restrictions.limits ?? {}),
      canonicalJson(record.restrictions.limits),
    ),
  ];
  return item({ application, kind: "role", name: record.name }, { from, to, details });
}

/** The plan's line for a group mapping that differs, be it only by whose it is. */
export function describeMapping(
  application: string,
  from: Customisable<MappingRecord> | undefined,
  to: Customisable<MappingRecord>,
): PlanItem {
  const details = [
    ...listChange("roles", from?.record.roles, to.record.roles),
    ...listChange("permissions", from?.record.permissions, to.record.permissions),
  ];
  return item({ application, kind: "mapping", name: to.record.group }, { from, to, details });
}

/** The plan's line for a subject; without details if nothing differs. */
export function describeSubject(from: SubjectRecord | undefined, to: SubjectRecord): PlanItem {
  return {
    action: from === undefined ? "add" : "change",
    kind: "subject",
    application: undefined,
    name: to.id,
    subject: to.id,
    details: [
      ...valueChange("type", from?.type, to.type),
      ...valueChange("disabled", from?.disabled ?? false, to.disabled),
      ...listChange("groups", from?.groups, to.groups),
      ...valueChange(
        "attributes",
        canonicalJson(from?.attributes ?? {}),
        canonicalJson(to.attributes),
      ),
    ],
  };
}

/** The plan's line for an assignment; without details if nothing differs. */
export function describeAssignment(
  application: string,
  from: AssignmentRecord | undefined,
  to: AssignmentRecord,
): PlanItem {
  return {
    action: from === undefined ? "add" : "change",
    kind: "assignment",
    application,
    name: assignmentName(to),
    subject: to.subject,
    details: [
      ...valueChange("expiresAt", instantText(from?.expiresAtMs), instantText(to.expiresAtMs)),
      ...valueChange("grantedBy", from?.grantedBy, to.grantedBy),
      ...valueChange("reason", from?.reason, to.reason),
    ],
  };
}

/** The plan's line for something that goes away. */
export function describeRemoval(
  about: Pick<PlanItem, "application" | "kind" | "name" | "subject">,
): PlanItem {
  return { action: "remove", ...about, details: [] };
}

/** How a plan calls an assignment. */
export function assignmentName({ subject, given, scope }: AssignmentRecord): string {
  const what = given.kind === "role" ? `role:${given.role}` : given.pattern;
  const where = scope === undefined ? "" : ` scope ${canonicalJson(scope)}`;
  return `${subject} ${what}${where}`;
}

/** RFC 3339 in UTC, without a fraction where there is none. */
export function instantText(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString().replace(".000Z", "Z");
}

function item<R>(
  about: Pick<PlanItem, "application" | "kind" | "name">,
  change: {
    readonly from: Customisable<R> | undefined;
    readonly to: Customisable<R>;
    readonly details: readonly string[];
  },
): PlanItem {
  const { from, to, details } = change;
  if (from === undefined) return { action: "add", ...about, subject: undefined, details };
  // Without details the entry says the same and is somebody else's, which counts too: a manual role
  // goes to a group on the operator's word only.
  const isReset = from.isCustomised && to.isSystem && !to.isCustomised;
  return { action: isReset ? "reset" : "change", ...about, subject: undefined, details };
}

function valueChange(name: string, from: unknown, to: unknown): readonly string[] {
  if (from === to) return [];
  if (from === undefined) return [`${name}: ${to}`];
  return [`${name}: ${from} → ${to ?? "none"}`];
}

function listChange(
  name: string,
  from: readonly string[] = [],
  to: readonly string[] = [],
): readonly string[] {
  const signs = [
    ...to.filter((value) => !from.includes(value)).map((value) => `+ ${value}`),
    ...from.filter((value) => !to.includes(value)).map((value) => `- ${value}`),
  ];
  return signs.length === 0 ? [] : [`${name}: ${signs.join(", ")}`];
}
