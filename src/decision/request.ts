import type { JsonObject } from "./json.ts";

export type SubjectType = "user" | "service";

/** The person or service account asked about. */
export interface SubjectRef {
  readonly type: SubjectType;
  readonly id: string;
  /** What the caller claims; reaches the policy only by names the caller is trusted for. */
  readonly properties: JsonObject;
}

export interface ActionRef {
  readonly name: string;
  readonly properties: JsonObject;
}

export interface ResourceRef {
  readonly type: string;
  /** `undefined` asks about the type as such. */
  readonly id: string | undefined;
  readonly properties: JsonObject;
}

/** How fresh the permission set must be. */
export interface Consistency {
  /** The set must be resolved as of this generation or a later one; 0 asks for nothing. */
  readonly minimumGeneration: number;
  /** Resolve from the directory, whatever is cached. */
  readonly bypassCache: boolean;
}

/**
 * May this subject do this? Every string in it is well-formed, every name is valid
 * (`names.ts`), every value is within the depth limit: doors check that before they make one.
 */
export interface AccessRequest {
  readonly application: string;
  readonly subject: SubjectRef;
  readonly action: ActionRef;
  readonly resource: ResourceRef;
  readonly context: JsonObject;
  /** The caller's own id for correlation; empty if it gave none. */
  readonly requestId: string;
  readonly consistency: Consistency;
}
