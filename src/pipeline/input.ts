import type { Names } from "../bundle/parts-read.ts";
import { Members } from "../decision/json.ts";
import type { AccessRequest } from "../decision/request.ts";
import type { InputDocument, InputValue } from "../engine/policy.ts";
import type { LocalTime } from "./local-time.ts";
import type { Question } from "./question.ts";

/**
 * The policy's input without `user`, and without what the policy can't read. `assumeFresh` makes it
 * as if the subject had verified itself at this instant.
 */
export function inputOf(question: Question, assumeFresh: boolean): InputDocument {
  const { active, properties, request } = question;
  const { reads } = active;
  const { resource, action } = request;
  const input = new Members<InputValue>();
  input["resource"] = resource.type;
  input["action"] = action.name;
  if (reads.resourceId && resource.id !== undefined) input["resource_id"] = resource.id;
  for (const name in properties) {
    if (!reads.properties.has(name)) continue;
    const value = properties[name]!;
    // The id that is asked about is the only one, or a property could stand in for it.
    if (value !== null && name !== "id") input[`resource_${name}`] = value;
  }
  if (reads.context !== undefined) {
    input["context"] = contextOf(question, reads.context, assumeFresh);
  }
  if (reads.request) input["request"] = asked(request);
  return input;
}

/** The request as asked, for policies that speak AuthZEN; nothing in it is verified. */
function asked({ subject, action, resource, context }: AccessRequest): InputDocument {
  const { type, id, properties } = resource;
  return {
    subject: { type: subject.type, id: subject.id, properties: subject.properties },
    action: { name: action.name, properties: action.properties },
    resource: id === undefined ? { type, properties } : { type, id, properties },
    context,
  };
}

/** What of the context counts, and the PDP's own time. */
function contextOf(question: Question, isRead: Names, assumeFresh: boolean): InputDocument {
  const { active, request, settings, now } = question;
  const context = new Members<InputValue>();
  for (const name in request.context) {
    if (isRead.has(name) && counts(name, question)) context[name] = request.context[name]!;
  }
  if (assumeFresh && isRead.has("mfa")) {
    context["mfa"] = assumedEvidence(context["mfa"], settings.timeOf(now).rfc3339);
  }
  if (isRead.has("time")) {
    context["time"] = partOf(settings.timeOf(now), active.reads.time);
  }
  return context;
}

/** Members of the time; `undefined` = all. */
function partOf(time: LocalTime, names: readonly string[] | undefined): InputDocument {
  if (names === undefined) return time;
  const part = new Members<InputValue>();
  for (const name of names) {
    if (Object.hasOwn(time, name)) part[name] = time[name as keyof LocalTime];
  }
  return part;
}

/** Whether the caller's word counts for this member of `context`. */
function counts(name: string, { trust }: Question): boolean {
  if (name === "ip") return trust.ip;
  if (name === "mfa") return trust.mfa;
  return name === "authentication" ? trust.authentication : true;
}

/** What the caller says of the subject's MFA beside its time stays, such as the method. */
function assumedEvidence(given: InputValue | undefined, verifiedAt: string): InputDocument {
  const kept = typeof given === "object" && !Array.isArray(given) ? given : null;
  return Object.assign(new Members<InputValue>(), kept, { verified_at: verifiedAt });
}
