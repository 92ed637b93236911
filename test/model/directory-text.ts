import { PATTERNS, ROLE_PATTERN, type Truth } from "./truth.ts";

/** What a role gives that gives nothing the model knows of. */
const NOTHING_KNOWN = "agent:read";

/** A directory file that makes the role and a subject what the truth says; the rest stays. */
export function directoryText(truth: Truth, role: string, subjectId: string): string {
  const { direct, hasRole, isDisabled } = truth.subject(subjectId);
  const by = { grantedBy: "admin-1", reason: "trial" };
  const assignments = PATTERNS.map((pattern) => {
    const endsAtMs = direct.get(pattern);
    const entry = { subject: subjectId, permissions: [pattern] };
    if (endsAtMs === undefined) return { ...entry, remove: true };
    const isEndless = endsAtMs === Number.POSITIVE_INFINITY;
    return { ...entry, ...by, ...(!isEndless && { expiresAt: rfc3339(endsAtMs) }) };
  });
  const member = { subject: subjectId, roles: [role], ...(hasRole ? by : { remove: true }) };
  const permissions = truth.roleGives ? [ROLE_PATTERN] : [NOTHING_KNOWN];
  return JSON.stringify({
    subjects: [{ id: subjectId, disabled: isDisabled }],
    applications: {
      platform: {
        roles: [{ name: role, description: "Of the model", assignment: "manual", permissions }],
        assignments: [...assignments, member],
      },
    },
  });
}

function rfc3339(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(".000Z", "Z");
}
