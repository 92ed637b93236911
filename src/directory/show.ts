import { stringify } from "yaml";
import { loadModel, type ModelMapping, type ModelRole } from "./application-model.ts";
import { readSubjects } from "./apply-subjects.ts";
import { chunks } from "./chunks.ts";
import { instantText } from "./describe.ts";
import type {
  ApplicationEntry,
  AssignmentEntry,
  DirectoryFile,
  MappingEntry,
  RoleEntry,
  SubjectEntry,
} from "./directory-file.ts";
import { readAssignments } from "./read-assignments.ts";
import {
  type AssignmentRecord,
  canonicalJson,
  type Restrictions,
  type SubjectRecord,
} from "./records.ts";
import type { TableTransaction } from "./store.ts";

/** Everything that differs from the catalogues, in the form of a directory file. */
export async function readDirectoryFile(
  transaction: TableTransaction,
  applications: Iterable<string>,
): Promise<DirectoryFile> {
  const parts = Object.create(null) as Record<string, ApplicationEntry>;
  for (const application of applications) {
    const { roles, mappings } = await loadModel(transaction, application);
    const assignments = await readAssignments(transaction, application, "all");
    const part = {
      ...list("roles", [...roles.values()].filter(isOperators).map(roleEntry)),
      ...list("groupMappings", [...mappings.values()].filter(isOperators).map(mappingEntry)),
      ...list("assignments", assignmentEntries(assignments)),
    };
    if (Object.keys(part).length > 0) parts[application] = part;
  }
  return { subjects: await subjectEntries(transaction), applications: parts };
}

/** A directory file as YAML text. */
export function renderDirectoryFile(file: DirectoryFile): string {
  return stringify(file, { lineWidth: 0, aliasDuplicateObjects: false });
}

async function subjectEntries(transaction: TableTransaction): Promise<readonly SubjectEntry[]> {
  const rows = await transaction.selectFrom("subjects").select("id").orderBy("id").execute();
  const entries: SubjectEntry[] = [];
  for (const chunk of chunks(rows)) {
    const ids = chunk.map(({ id }) => id);
    const subjects = await readSubjects(transaction, ids);
    for (const id of ids) entries.push(subjectEntry(subjects.get(id)!));
  }
  return entries;
}

function subjectEntry({ id, type, disabled, attributes, groups }: SubjectRecord): SubjectEntry {
  return {
    id,
    type,
    ...(disabled ? { disabled } : {}),
    ...(Object.keys(attributes).length > 0 ? { attributes } : {}),
    ...list("groups", [...groups]),
  };
}

function roleEntry({ record, isSystem }: ModelRole): RoleEntry {
  return {
    name: record.name,
    description: record.description,
    assignment: record.assignment,
    permissions: [...record.permissions],
    inheritsFrom: [...record.inheritsFrom],
    // Left out of a system role, they would be the catalogue's.
    ...(isSystem || record.restrictions.mfa !== "none" || hasDemands(record.restrictions)
      ? { restrictions: restrictionsEntry(record.restrictions) }
      : {}),
  };
}

function hasDemands({ ipWhitelist, authentication, limits }: Restrictions): boolean {
  return ipWhitelist.length > 0 || authentication !== undefined || Object.keys(limits).length > 0;
}

function restrictionsEntry(restrictions: Restrictions): NonNullable<RoleEntry["restrictions"]> {
  const { mfa, ipWhitelist, authentication, limits } = restrictions;
  return {
    ...(mfa === "none" ? {} : { mfa }),
    ...list("ipWhitelist", [...ipWhitelist]),
    ...(authentication === undefined ? {} : { authentication }),
    ...limits,
  };
}

function mappingEntry({ record }: ModelMapping): MappingEntry {
  return {
    group: record.group,
    ...list("roles", [...record.roles]),
    ...list("permissions", [...record.permissions]),
  };
}

/** One entry for all that a subject has on the same terms. */
function assignmentEntries(records: readonly AssignmentRecord[]): AssignmentEntry[] {
  const byTerms = Map.groupBy(records, ({ subject, scope, expiresAtMs, grantedBy, reason }) =>
    canonicalJson([subject, scope ?? null, expiresAtMs ?? null, grantedBy ?? null, reason ?? null]),
  );
  return [...byTerms.values()]
    .map(assignmentEntry)
    .sort((a, b) => (a.subject < b.subject ? -1 : Number(a.subject > b.subject)));
}

function assignmentEntry(records: readonly AssignmentRecord[]): AssignmentEntry {
  const { subject, scope, expiresAtMs, grantedBy, reason } = records[0]!;
  const roles = records.flatMap(({ given }) => (given.kind === "role" ? [given.role] : []));
  const patterns = records.flatMap(({ given }) =>
    given.kind === "pattern" ? [given.pattern] : [],
  );
  const expiresAt = instantText(expiresAtMs);
  return {
    subject,
    ...list("roles", roles),
    ...list("permissions", patterns),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(scope === undefined ? {} : { scope: scope as AssignmentEntry["scope"] & object }),
    ...(grantedBy === undefined ? {} : { grantedBy }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function isOperators({ isSystem, isCustomised }: ModelRole | ModelMapping): boolean {
  return !isSystem || isCustomised;
}

function list<K extends string, T>(name: K, items: T[]): { [P in K]?: T[] } {
  return (items.length === 0 ? {} : { [name]: items }) as { [P in K]?: T[] };
}
