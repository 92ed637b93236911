import { suggestion } from "../base/nearest.ts";
import type { CheckedEntry } from "./check-file.ts";
import { chunks } from "./chunks.ts";
import { assignmentName, describeAssignment } from "./describe.ts";
import type { PlanItem } from "./plan.ts";
import { type Problems, quote } from "./problems.ts";
import { readAssignments, scopeText } from "./read-assignments.ts";
import type { AssignmentRecord } from "./records.ts";
import type { TableTransaction } from "./store.ts";

/** What assignments are applied to. */
export interface AssignmentTarget {
  readonly application: string;
  /** Of the roles that there will be. */
  readonly roleIds: ReadonlyMap<string, number>;
  readonly problems: Problems;
}

type Entry = CheckedEntry<AssignmentRecord>;

/** Makes assignments by hand agree with the file's entries. Other sources are left alone. */
export async function applyAssignments(
  transaction: TableTransaction,
  entries: readonly Entry[],
  target: AssignmentTarget,
): Promise<readonly PlanItem[]> {
  const items: PlanItem[] = [];
  for (const chunk of chunks(entries)) {
    const ids = [...new Set(chunk.map(({ record }) => record.subject))];
    const subjects = await existing(transaction, ids);
    const rows = await readAssignments(transaction, target.application, ids);
    const current = new Map(rows.map((record) => [assignmentName(record), record]));
    const written: AssignmentRecord[] = [];
    for (const entry of chunk) {
      const { record } = entry;
      const known = current.get(assignmentName(record));
      if (entry.isRemoval) {
        if (known === undefined) continue;
        await deleteAssignment(transaction, record, target);
        items.push({ ...describeAssignment(target.application, record, record), action: "remove" });
        continue;
      }
      if (!hasBothEnds(entry, subjects, target)) continue;
      const item = describeAssignment(target.application, known, record);
      if (known !== undefined && item.details.length === 0) continue;
      written.push(record);
      items.push(item);
    }
    await writeAssignments(transaction, written, target);
  }
  return items;
}

function hasBothEnds(
  { record, path }: Entry,
  subjects: ReadonlySet<string>,
  { roleIds, problems }: AssignmentTarget,
): boolean {
  const { subject, given } = record;
  const isSubject = subjects.has(subject);
  if (!isSubject) {
    const hint = suggestion(subject, subjects) || "; expected one of this file or the directory";
    problems.add([...path, "subject"], `there is no subject ${quote(subject)}${hint}`);
  }
  if (given.kind === "pattern" || roleIds.has(given.role)) return isSubject;
  const hint = suggestion(given.role, roleIds.keys());
  problems.add([...path, "roles"], `there is no role ${quote(given.role)}${hint}`);
  return false;
}

async function existing(
  transaction: TableTransaction,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await transaction
    .selectFrom("subjects")
    .select("id")
    .where("id", "in", ids)
    .execute();
  return new Set(rows.map(({ id }) => id));
}

async function writeAssignments(
  transaction: TableTransaction,
  records: readonly AssignmentRecord[],
  { application, roleIds }: AssignmentTarget,
): Promise<void> {
  const roles = records.flatMap((record) =>
    record.given.kind === "role"
      ? [{ role_id: roleIds.get(record.given.role)!, ...columnsOf(record) }]
      : [],
  );
  const patterns = records.flatMap((record) =>
    record.given.kind === "pattern"
      ? [{ application, pattern: record.given.pattern, ...columnsOf(record) }]
      : [],
  );
  if (roles.length > 0) {
    await transaction
      .insertInto("role_assignments")
      .values(roles)
      .onConflict((conflict) =>
        conflict.columns(["subject_id", "role_id", "source", "scope"]).doUpdateSet((row) => ({
          expires_at_ms: row.ref("excluded.expires_at_ms"),
          granted_by: row.ref("excluded.granted_by"),
          reason: row.ref("excluded.reason"),
        })),
      )
      .execute();
  }
  if (patterns.length > 0) {
    await transaction
      .insertInto("permission_assignments")
      .values(patterns)
      .onConflict((conflict) =>
        conflict
          .columns(["subject_id", "application", "pattern", "source", "scope"])
          .doUpdateSet((row) => ({
            expires_at_ms: row.ref("excluded.expires_at_ms"),
            granted_by: row.ref("excluded.granted_by"),
            reason: row.ref("excluded.reason"),
          })),
      )
      .execute();
  }
}

async function deleteAssignment(
  transaction: TableTransaction,
  { subject, given, scope }: AssignmentRecord,
  { application }: AssignmentTarget,
): Promise<void> {
  if (given.kind === "role") {
    await transaction
      .deleteFrom("role_assignments")
      .where("subject_id", "=", subject)
      .where("source", "=", "manual")
      .where("scope", "=", scopeText(scope))
      .where("role_id", "in", (roles) =>
        roles
          .selectFrom("roles")
          .select("id")
          .where("application", "=", application)
          .where("name", "=", given.role),
      )
      .execute();
    return;
  }
  await transaction
    .deleteFrom("permission_assignments")
    .where("subject_id", "=", subject)
    .where("source", "=", "manual")
    .where("scope", "=", scopeText(scope))
    .where("application", "=", application)
    .where("pattern", "=", given.pattern)
    .execute();
}

function columnsOf(record: AssignmentRecord) {
  return {
    subject_id: record.subject,
    source: "manual" as const,
    scope: scopeText(record.scope),
    expires_at_ms: record.expiresAtMs ?? null,
    granted_by: record.grantedBy ?? null,
    reason: record.reason ?? null,
  };
}
