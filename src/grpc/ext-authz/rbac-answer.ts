import type { Decision } from "../../decision/decision.ts";
import type { JsonValue } from "../../decision/json.ts";
import type { HeaderChange, HttpAnswer } from "./http-answer.ts";
import { plainAnswer } from "./rego-result.ts";

const SUBJECT_HEADER = "x-postern-subject";
const ROLES_HEADER = "x-postern-roles";
/** Tells the upstream by which decision the request has passed. */
export const DECISION_HEADER = "x-postern-decision-id";

/** The headers that tell the upstream what was decided: never what a client has sent. */
export const toldHeaders: readonly string[] = [SUBJECT_HEADER, ROLES_HEADER, DECISION_HEADER];

/** Upstreams refuse requests with long headers, some from 8 KiB on. */
const ROLES_BYTES_MAX = 4_096;

const UNAUTHORIZED = 401;

/** What becomes of a request whose subject has the permission. */
export function allowedAnswer(decision: Decision, subjectId: string): HttpAnswer {
  const roles = decision.roles.join(",");
  const fits = roles.length <= ROLES_BYTES_MAX;
  const headers = [
    setHeader(SUBJECT_HEADER, subjectId),
    ...(fits ? [setHeader(ROLES_HEADER, roles)] : []),
    setHeader(DECISION_HEADER, decision.decisionId),
  ];
  return { ...plainAnswer, headers, removedHeaders: fits ? [] : [ROLES_HEADER] };
}

/** What a client gets whose request takes a permission that its subject has not. */
export function forbiddenAnswer(decision: Decision, permission: string): HttpAnswer {
  if (!decision.mfaRequired) return jsonAnswer(403, { error: "forbidden", required: permission });
  const stepUp = decision.obligations.find(({ type }) => type === "step-up");
  return stepUpAnswer(stepUp?.properties["max_age_seconds"]);
}

/** What a client gets whose request says of nobody that it is theirs. */
export function anonymousAnswer(): HttpAnswer {
  const challenge = setHeader("www-authenticate", "Bearer");
  return jsonAnswer(UNAUTHORIZED, { error: "unauthenticated" }, [challenge]);
}

/** What a client gets for a request that no route stands for. */
export function unmappedAnswer(): HttpAnswer {
  return jsonAnswer(403, { error: "unmapped_route" });
}

/** The challenge of RFC 9470. */
function stepUpAnswer(maxAgeSeconds: JsonValue | undefined): HttpAnswer {
  const message = "Multi-factor authentication required";
  const challenge = [
    'Bearer error="insufficient_user_authentication"',
    `error_description="${message}"`,
    ...(typeof maxAgeSeconds === "number" ? [`max_age="${maxAgeSeconds}"`] : []),
  ].join(", ");
  return jsonAnswer(UNAUTHORIZED, { error: "mfa_required", message }, [
    setHeader("www-authenticate", challenge),
  ]);
}

function jsonAnswer(
  status: number,
  body: object,
  headers: readonly HeaderChange[] = [],
): HttpAnswer {
  const type = setHeader("content-type", "application/json");
  return { ...plainAnswer, status, headers: [type, ...headers], body: JSON.stringify(body) };
}

/** A header in place of what is there. */
export function setHeader(name: string, value: string): HeaderChange {
  return { name, value, action: "overwrite", keepsEmpty: false };
}
