import { parseRfc3339 } from "../base/rfc3339.ts";
import { checkEntry } from "./check-entry.ts";
import { checkEach, checkPatterns, complain, type EntryContext } from "./check-role.ts";
import { complainOfId, complainOfTerm } from "./check-values.ts";
import { type AssignmentEntry, assignmentEntrySchema } from "./directory-file.ts";
import { type FieldPath, type Problems, quote } from "./problems.ts";
import { scopeText } from "./read-assignments.ts";
import { type AssignmentRecord, type Given, type Scope, sortedUnique } from "./records.ts";

/** It is part of an assignment's identity, and a key of PostgreSQL's has 2,704 bytes in all. */
const SCOPE_BYTES_MAX = 2_000;

/** Checks an assignment's entry: one record for each role and pattern, none if there are mistakes. */
export function checkAssignment(
  entry: unknown,
  context: EntryContext,
): readonly AssignmentRecord[] {
  const { path, problems } = context;
  const before = problems.count();
  if (!checkEntry(assignmentEntrySchema, entry, context)) return [];
  const assignment = entry as AssignmentEntry;
  complain(problems, [...path, "subject"], complainOfId(assignment.subject));
  checkEach(assignment.roles, [...path, "roles"], { problems, complaint: complainOfTerm });
  checkPatterns(assignment.permissions, context);
  const scope = checkScope(assignment.scope, [...path, "scope"], problems);
  const expiresAtMs = checkExpiry(assignment.expiresAt, [...path, "expiresAt"], problems);
  const given: Given[] = [
    ...sortedUnique(assignment.roles ?? []).map((role) => ({ kind: "role", role }) as const),
    ...sortedUnique(assignment.permissions ?? []).map(
      (pattern) => ({ kind: "pattern", pattern }) as const,
    ),
  ];
  if (given.length === 0) problems.add(path, "expected roles or permissions: it names neither");
  if (problems.count() > before) return [];
  const terms = {
    subject: assignment.subject,
    scope,
    expiresAtMs,
    grantedBy: assignment.grantedBy,
    reason: assignment.reason,
  };
  return given.map((one) => ({ ...terms, given: one }));
}

function checkExpiry(
  text: string | undefined,
  path: FieldPath,
  problems: Problems,
): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseRfc3339(text);
  if (ms === undefined) {
    problems.add(path, `${quote(text)}: expected RFC 3339, such as 2027-01-01T00:00:00Z`);
  }
  return ms;
}

function checkScope(
  scope: AssignmentEntry["scope"],
  path: FieldPath,
  problems: Problems,
): Scope | undefined {
  if (scope === undefined) return undefined;
  const checked = Object.create(null) as Record<string, readonly string[]>;
  for (const [name, values] of Object.entries(scope)) {
    complain(problems, [...path, name], complainOfId(name));
    checkEach(values, [...path, name], { problems, complaint: complainOfScopeValue });
    checked[name] = sortedUnique(values);
  }
  if (Object.keys(checked).length === 0) {
    problems.add(path, "expected at least one property; leave scope out for everywhere");
  }
  if (Buffer.byteLength(scopeText(checked)) > SCOPE_BYTES_MAX) {
    problems.add(path, `expected at most ${SCOPE_BYTES_MAX} bytes as JSON; use * or more entries`);
  }
  return checked;
}

function complainOfScopeValue(value: string): string | undefined {
  const star = value.indexOf("*");
  return star === -1 || star === value.length - 1
    ? complainOfId(value)
    : `${quote(value)}: expected * at the end only`;
}
