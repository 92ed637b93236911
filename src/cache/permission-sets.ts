import type { Deadline } from "../base/deadline.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { Consistency } from "../decision/request.ts";

/** Which set, and how fresh. */
export interface SetQuery {
  readonly application: string;
  readonly subjectId: string;
  readonly consistency: Consistency;
  readonly deadline: Deadline;
}

/**
 * Permission sets, wherever they come from. What the pipeline knows of caches and the directory.
 * Unknown and disabled subjects have a set too (`status`).
 */
export interface PermissionSets {
  /**
   * Answers without a promise on a memory hit. Throws `PdpError`: `unavailable` if the directory
   * can't be read, `deadline-exceeded`, `resource-exhausted` if too many fills are waiting.
   */
  get(query: SetQuery): PermissionSet | Promise<PermissionSet>;
}
