/**
 * The hot path: from a request to a decision, through a visible list of stages. Not for
 * transports (doors) nor for running Rego (`engine/`).
 */
import type { CallNotes } from "../base/call-notes.ts";
import type { Deadline } from "../base/deadline.ts";
import type { Peer } from "../base/unary-handler.ts";
import type { Decision, DenyReason } from "../decision/decision.ts";
import type { DocumentParts } from "../decision/document-parts.ts";
import type { PdpError } from "../decision/error.ts";
import type { JsonValue } from "../decision/json.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { AccessRequest, Consistency, SubjectRef } from "../decision/request.ts";
import type { InputDocument } from "../engine/policy.ts";

export type { InputDocument, InputValue } from "../engine/policy.ts";

/** What a door knows of the call besides the request. */
export interface CallContext {
  readonly peer: Peer;
  readonly deadline: Deadline;
  /** Left out where nobody reads them. */
  readonly notes?: CallNotes | undefined;
}

/** Whether the subject must show MFA evidence for this. */
export interface MfaAnswer {
  /** The request would be allowed with fresh evidence only. */
  readonly required: boolean;
  /** …and the evidence given is fresh. */
  readonly satisfied: boolean;
  /** The reason of the decision as it stands. */
  readonly reason: string;
  /** How old evidence may be, in seconds. */
  readonly maxAgeSeconds: number;
  /** As in `Decision`. */
  readonly stalenessMs: number;
}

export interface PermissionSetQuery {
  readonly application: string;
  readonly subject: SubjectRef;
  readonly consistency: Consistency;
}

/** A subject's permission set, and what it comes to in the application's catalogue. */
export interface PermissionSetAnswer {
  readonly set: PermissionSet;
  /** Catalogue permissions that some grant of the set covers, conditions aside; sorted. */
  readonly effective: readonly string[];
  /** As in `Decision`. */
  readonly stalenessMs: number;
}

/** A question that is the caller's own to put. */
export interface PolicyQuery<Detail> {
  readonly application: string;
  /** Path of the document that answers, such as `envoy/authz/allow`. */
  readonly path: string;
  /** Makes the input, of which the policy can read these parts alone. */
  readonly input: (parts: DocumentParts) => InputDocument;
  /** What the document says; `undefined` = nothing that can be read. */
  readonly read: (document: JsonValue) => PolicyReading<Detail> | undefined;
  /** What of the request operators may be shown; no secrets. */
  readonly about?: () => Readonly<Record<string, string>>;
}

/** What a document says. */
export interface PolicyReading<Detail> {
  readonly allows: boolean;
  /** What keeps the policy from deciding, if anything; then nothing is allowed. */
  readonly error?: string | undefined;
  /** What it says besides. */
  readonly detail: Detail;
}

/** A decision, and what the policy said besides, where it said anything that could be read. */
export interface PolicyVerdict<Detail> {
  readonly decision: Decision;
  readonly detail: Detail | undefined;
}

/** Why a door can't put a question to a policy, and on which call. */
export interface RefusalCause extends Pick<CallContext, "notes"> {
  readonly error: PdpError;
}

/**
 * Decides. Answers without a promise where nothing has to be awaited. Throws `PdpError`: for an
 * application without an active policy, for callers without trust, for sources that fail.
 */
export interface Pipeline {
  check(request: AccessRequest, call: CallContext): Decision | Promise<Decision>;
  /** All from one snapshot of each policy and permission set; one result per request, in order. */
  checkBatch(
    requests: readonly AccessRequest[],
    call: CallContext,
  ): Promise<readonly (Decision | PdpError)[]>;
  mfaRequired(request: AccessRequest, call: CallContext): MfaAnswer | Promise<MfaAnswer>;
  permissionSet(query: PermissionSetQuery, call: CallContext): Promise<PermissionSetAnswer>;
  /**
   * Asks the policy alone: no subject, no permission set. Throws `not-found` also for a path that
   * the policy has no entrypoint for.
   */
  evaluate<Detail>(query: PolicyQuery<Detail>, call: CallContext): PolicyVerdict<Detail>;
  /** Whether the caller may ask about any subject. */
  trusts(call: CallContext): boolean;
  /** Whether the application has an active policy. */
  serves(application: string): boolean;
  /**
   * Denies what a door can't put to a policy, but has to answer; counted as any decision, and logged
   * with the error that is the cause. `application` is one that the configuration names, or that has a
   * policy: nobody who asks makes up a label of the counts.
   */
  refuse(application: string, reason: DenyReason, cause?: RefusalCause): Decision;
}
