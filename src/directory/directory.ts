/**
 * Who has what. The source of permission sets; not for deciding, and not for remembering sets,
 * which `cache/` does.
 */
import type { Deadline } from "../base/deadline.ts";
import type { PermissionSet } from "../decision/permission-set.ts";

/** What a committed change touched; announced in the order of generations. */
export interface DirectoryChange {
  readonly generation: number;
  /** Subjects whose sets may differ; `"all"` where a role, group mapping or catalogue changed. */
  readonly subjects: "all" | readonly string[];
}

/** Where the caches read from. */
export interface PermissionSetSource {
  /** Resolves from one snapshot. Throws `PdpError` `unavailable` or `deadline-exceeded`. */
  resolve(application: string, subjectId: string, deadline: Deadline): Promise<PermissionSet>;
  /** The newest committed generation. */
  generation(deadline: Deadline): Promise<number>;
}
