import { type AssignmentRecord, canonicalJson, parseJson, type Scope } from "./records.ts";
import type { TableTransaction } from "./store.ts";

/** How a scope is stored; empty = everywhere. */
export function scopeText(scope: Scope | undefined): string {
  return scope === undefined ? "" : canonicalJson(scope);
}

/** The scope of a stored text. */
export function scopeOf(text: string): Scope | undefined {
  return text === "" ? undefined : (parseJson(text) as Scope);
}

/** Assignments made by hand in an application: of these subjects, or of all. */
export async function readAssignments(
  transaction: TableTransaction,
  application: string,
  subjects: readonly string[] | "all",
): Promise<readonly AssignmentRecord[]> {
  let roles = transaction
    .selectFrom("role_assignments as a")
    .innerJoin("roles as r", "r.id", "a.role_id")
    .select(["a.subject_id", "a.scope", "a.expires_at_ms", "a.granted_by", "a.reason", "r.name"])
    .where("r.application", "=", application)
    .where("a.source", "=", "manual")
    .orderBy("a.subject_id")
    .orderBy("r.name");
  let patterns = transaction
    .selectFrom("permission_assignments as a")
    .selectAll()
    .where("a.application", "=", application)
    .where("a.source", "=", "manual")
    .orderBy("a.subject_id")
    .orderBy("a.pattern");
  if (subjects !== "all") {
    roles = roles.where("a.subject_id", "in", subjects);
    patterns = patterns.where("a.subject_id", "in", subjects);
  }
  const [roleRows, patternRows] = await Promise.all([roles.execute(), patterns.execute()]);
  return [
    ...roleRows.map((row) => recordOf(row, { kind: "role", role: row.name })),
    ...patternRows.map((row) => recordOf(row, { kind: "pattern", pattern: row.pattern })),
  ];
}

function recordOf(
  row: {
    readonly subject_id: string;
    readonly scope: string;
    readonly expires_at_ms: number | null;
    readonly granted_by: string | null;
    readonly reason: string | null;
  },
  given: AssignmentRecord["given"],
): AssignmentRecord {
  return {
    subject: row.subject_id,
    given,
    scope: scopeOf(row.scope),
    expiresAtMs: row.expires_at_ms ?? undefined,
    grantedBy: row.granted_by ?? undefined,
    reason: row.reason ?? undefined,
  };
}
