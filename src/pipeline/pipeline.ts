/**
 * The hot path: from a request to a decision, through a visible list of stages. Not for
 * transports (doors) nor for running Rego (`engine/`).
 */
import type { Deadline } from "../base/deadline.ts";
import type { Peer } from "../base/unary-handler.ts";
import type { Decision } from "../decision/decision.ts";
import type { PdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { AccessRequest, Consistency, SubjectRef } from "../decision/request.ts";

/** What a door knows of the call besides the request. */
export interface CallContext {
  readonly peer: Peer;
  readonly deadline: Deadline;
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
}
