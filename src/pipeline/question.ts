import type { Clock } from "../base/clock.ts";
import { type Address, parseAddress } from "../base/ip-network.ts";
import type { ActivePolicies, ActivePolicy } from "../bundle/active-policy.ts";
import type { DenyReason } from "../decision/decision.ts";
import { PdpError } from "../decision/error.ts";
import { emptyObject, type JsonObject } from "../decision/json.ts";
import type { AccessRequest } from "../decision/request.ts";
import { createTimeOf, type Instant, type TimeOf } from "./local-time.ts";
import { isFreshEvidence } from "./mfa-evidence.ts";
import {
  type ApplicationOptions,
  applicationOptions,
  type PipelineOptions,
  type TrustOptions,
} from "./options.ts";
import type { CallContext } from "./pipeline.ts";
import { createTrustOf, isSelf, requireIdentity } from "./trust.ts";

/** A request after trust: what of it counts, under which policy, at which instant. */
export interface Question {
  readonly request: AccessRequest;
  /** `resource:action` */
  readonly permission: string;
  readonly active: ActivePolicy;
  readonly settings: ApplicationSettings;
  readonly now: Instant;
  readonly trust: TrustOptions;
  /** The resource's properties; none if the caller is not trusted for them. */
  readonly properties: JsonObject;
  readonly mtls: boolean;
  readonly mfaFresh: boolean;
  /** Of the call; read by log lines alone. */
  readonly notes: CallContext["notes"];
}

/** What the operator configured for an application, ready for use. */
export interface ApplicationSettings extends ApplicationOptions {
  readonly timeOf: TimeOf;
}

/** What the first stages need. */
export interface QuestionDeps {
  readonly policies: ActivePolicies;
  readonly clock: Clock;
  readonly options: PipelineOptions;
}

/** The stages before the permission set is known. */
export interface Questions {
  /** The instant that all questions of one call share. */
  now(): Instant;
  settingsOf(application: string): ApplicationSettings;
  /** Throws `permission-denied` if the caller may not ask about the subject. */
  authenticate(subjectId: string, call: CallContext): TrustOptions;
  /** Whether the caller may ask about any subject. */
  trusts(call: CallContext): boolean;
  /** The policy in force. Throws `not-found` for an application that has none. */
  policyOf(application: string): ActivePolicy;
  /**
   * From a request to what counts of it. Throws `permission-denied` or `not-found`. Questions
   * that are asked without awaiting in between have one snapshot of the policies.
   */
  ask(request: AccessRequest, call: CallContext, now: Instant): Question;
}

/** Makes the stages before the permission set. Throws for a time zone that does not exist. */
export function createQuestions(deps: QuestionDeps): Questions {
  const { clock, options, policies } = deps;
  const trustOf = createTrustOf(options.trust);
  const settingsOf = createSettings(options);

  function policyOf(application: string): ActivePolicy {
    const name = application === "" ? options.defaultApplication : application;
    const active = policies.get(name);
    if (active !== undefined) return active;
    const message = `application: ${JSON.stringify(name)} has no active policy`;
    throw new PdpError("not-found", message, { field: "application" });
  }

  function authenticate(subjectId: string, call: CallContext): TrustOptions {
    const trust = trustOf(call.peer);
    requireIdentity(trust, isSelf(call.peer, subjectId));
    return trust;
  }

  function ask(request: AccessRequest, call: CallContext, now: Instant): Question {
    const { subject, resource, action, context } = request;
    const trust = authenticate(subject.id, call);
    const active = policyOf(request.application);
    const settings = settingsOf(active.application);
    const freshness = { nowMs: now.ms, maxAgeSeconds: settings.mfaMaxAgeSeconds };
    return {
      request,
      permission: `${resource.type}:${action.name}`,
      active,
      settings,
      now,
      trust,
      properties: trust.resource ? resource.properties : emptyObject,
      mtls: isSelf(call.peer, subject.id) || (trust.authentication && statesMtls(context)),
      mfaFresh: trust.mfa && isFreshEvidence(context, freshness),
      notes: call.notes,
    };
  }

  return {
    now: () => {
      const ns = clock.wallNs();
      return { ns, ms: Number(ns / 1_000_000n) };
    },
    policyOf,
    settingsOf,
    authenticate,
    trusts: ({ peer }) => trustOf(peer).identity,
    ask,
  };
}

/** The reason if the catalogue does not have the permission; without one, any may exist. */
export function unknownPermission(question: Question): DenyReason | undefined {
  const { active, permission, request } = question;
  const { catalogue } = active;
  if (catalogue === undefined || catalogue.permissions.has(permission)) return undefined;
  return `unknown:${request.resource.type}:${request.action.name}`;
}

/** The question as if the caller had stated no MFA evidence. */
export function withoutEvidence(question: Question): Question {
  return { ...question, mfaFresh: false, trust: { ...question.trust, mfa: false } };
}

/** The address that the caller states for the subject, if it is trusted to and states one. */
export function statedAddress(question: Question): Address | undefined {
  const { context } = question.request;
  const ip = question.trust.ip && Object.hasOwn(context, "ip") ? context["ip"] : undefined;
  return typeof ip === "string" ? parseAddress(ip) : undefined;
}

function statesMtls(context: JsonObject): boolean {
  return Object.hasOwn(context, "authentication") && context["authentication"] === "mtls";
}

/** Settings by application, made when first asked for; asked only for applications that exist. */
function createSettings(options: PipelineOptions): (application: string) => ApplicationSettings {
  const known = new Map<string, ApplicationSettings>();
  const settingsOf = (application: string): ApplicationSettings => {
    const before = known.get(application);
    if (before !== undefined) return before;
    const own = applicationOptions(options, application);
    const settings = { ...own, timeOf: zoneTimeOf(application, own.zone) };
    known.set(application, settings);
    return settings;
  };
  for (const application of Object.keys(options.applications)) settingsOf(application);
  return settingsOf;
}

function zoneTimeOf(application: string, zone: string): TimeOf {
  try {
    return createTimeOf(zone);
  } catch (cause) {
    throw new Error(
      `applications.${application}.zone: ${JSON.stringify(zone)} is not an IANA time zone`,
      { cause },
    );
  }
}
