import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { patternCovers } from "../decision/names.ts";
import type {
  CheckResponse,
  Conditions,
  GetPermissionSetResponse,
  GrantedPattern,
  MfaRequiredResponse,
} from "../grpc/gen/postern/v1/decision_pb.js";
import { renderTable } from "./terminal.ts";

const ARROW = " → ";
/** How the reasons of an allow begin; all others are those of a deny. */
const ALLOWING = /^(permission|policy):/;

/** The answer to `check`, about a subject of a type, as lines for people. */
export function renderDecision(answer: CheckResponse, subjectType: string): string {
  const word = answer.allowed === true ? "allow" : "deny ";
  const policy = `${answer.application}@${answer.revision}`;
  const first = [word, answer.reason, policy, `generation ${answer.generation}`];
  if (answer.stalenessMs > 0n) first.push(staleness(answer));
  const details: string[][] = [];
  if (answer.grant !== undefined) {
    details.push(["     ", "granted", answer.grant.pattern, answer.grant.path.join(ARROW)]);
  }
  for (const { type, properties } of answer.obligations) {
    details.push(["     ", "obligation", type, JSON.stringify(properties ?? {})]);
  }
  if (answer.reason === "unknown_subject" && subjectType !== "service") {
    details.push(["     ", "hint", "of a service account, ask with --subject-type service"]);
  }
  return renderTable([first]) + renderTable(details);
}

/** The answer to `mfa` as a line for people. */
export function renderMfa(answer: MfaRequiredResponse): string {
  const limit = `evidence no older than ${answer.maxAgeSeconds} s`;
  const stale = answer.stalenessMs > 0n ? [staleness(answer)] : [];
  if (answer.required) return renderTable([[mfaWord(answer), answer.reason, limit, ...stale]]);
  // "Not required" alone could be read as "allowed without".
  const isAllowed = ALLOWING.test(answer.reason);
  const reason = isAllowed ? answer.reason : `(denied: ${answer.reason})`;
  return renderTable([[mfaWord(answer), reason, ...stale]]);
}

/** How old an answer is that was given without the directory. */
function staleness({ stalenessMs }: Pick<CheckResponse, "stalenessMs">): string {
  return `stale: last known ${(Number(stalenessMs) / 1_000).toFixed(1)} s ago`;
}

/** Whether MFA stands between the subject and an allow. */
export function mfaWord({ required, satisfied }: MfaRequiredResponse): string {
  if (!required) return "not required";
  return satisfied ? "satisfied" : "required";
}

/** The answer to `permissions` as lines for people. */
export function renderPermissionSet(subject: string, set: GetPermissionSetResponse): string {
  const attributes = Object.entries(set.attributes ?? {}).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const head = [
    ["subject", `${subject} (${set.status}) in ${set.application}, generation ${set.generation}`],
    ["roles", listOf(set.roles)],
    ["groups", listOf(set.groups)],
    ["attributes", listOf(attributes)],
    ...(set.stalenessMs > 0n ? [["directory", `can't be read; ${staleness(set)}`]] : []),
    ["valid until", set.validUntil === undefined ? "-" : instant(set.validUntil)],
  ];
  const rows = permissionRows(set);
  const table = [["PERMISSION", "PATTERN", "GRANTED BY", "CONDITIONS"], ...rows];
  return `${renderTable(head)}\n${rows.length === 0 ? "no permissions\n" : renderTable(table)}`;
}

/** One row per permission and path that grants it; then patterns that cover no permission. */
function permissionRows(set: GetPermissionSetResponse): string[][] {
  const covering = set.effectivePermissions.flatMap((permission) => {
    const [resource = "", action = ""] = permission.split(":");
    return set.patterns
      .filter(({ pattern }) => patternCovers(pattern, resource, action))
      .map((granted) => ({ permission, granted }));
  });
  const used = new Set(covering.map(({ granted }) => granted));
  const others = set.patterns
    .filter((granted) => !used.has(granted))
    .map((granted) => ({ permission: "-", granted }));
  return [...covering, ...others].map(({ permission, granted }) => [
    permission,
    granted.pattern,
    granted.path.join(ARROW),
    conditionsOf(granted),
  ]);
}

function conditionsOf({ conditions, limits }: GrantedPattern): string {
  const texts = conditions === undefined ? [] : conditionTexts(conditions);
  for (const [name, limit] of Object.entries(limits ?? {})) {
    texts.push(`${name} ${JSON.stringify(limit)}`);
  }
  return listOf(texts);
}

function conditionTexts(conditions: Conditions): string[] {
  const { expiresAt, scope, ipWhitelists, authentication, mfa } = conditions;
  return [
    ...(expiresAt === undefined ? [] : [`until ${instant(expiresAt)}`]),
    ...scope.map(({ property, values }) => `${property} in [${values.join(", ")}]`),
    ...ipWhitelists.map(({ networks }) => `ip in [${networks.join(", ")}]`),
    ...(authentication === "" ? [] : [`authentication ${authentication}`]),
    ...(mfa === "" || mfa === "none" ? [] : [`mfa ${mfa}`]),
  ];
}

function listOf(texts: readonly string[]): string {
  return texts.length === 0 ? "-" : texts.join(", ");
}

function instant(timestamp: Timestamp): string {
  return timestampDate(timestamp).toISOString().replace(".000Z", "Z");
}
