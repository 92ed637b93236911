/**
 * Remembers permission sets, never decisions, so that nothing a request says can get into a key.
 * Not for reading them from the directory, nor for sharing such a read: see `permission-sets.ts`.
 */
import type { PermissionSet } from "../decision/permission-set.ts";

/** Whose set, in which application. */
export interface SetKey {
  readonly application: string;
  readonly subjectId: string;
}

/**
 * Why a set has to be read: never seen or dropped, past its time to live, past the earliest expiry
 * inside it, older than asked for, or asked for uncached.
 */
export type MissReason = "absent" | "aged" | "expired" | "older-generation" | "bypassed";

/** The set, or why there is none. */
export type SetLookup = PermissionSet | Extract<MissReason, "absent" | "aged" | "expired">;

/** What a committed change touched. The directory's announcements have this shape. */
export interface SetChange {
  readonly generation: number;
  readonly subjects: "all" | readonly string[];
  /** Nothing that was read before it counts, whatever its generation. */
  readonly isRestart?: true;
}

/** Remembers what it may not serve any more, for when nothing better can be had. */
export interface LastKnownSets {
  /**
   * A set of an existing subject that is past its time to live by less than `staleForMs`, with
   * `lastKnownMs`; for an answer that says so, while the directory can't be read. No announced
   * change touches it, and its `validUntilMs` has not passed.
   */
  lastKnown(key: SetKey): PermissionSet | undefined;
}

/**
 * One tier. The memory tier answers without a promise; a shared one may need to wait.
 *
 * A remembered set may be served only if:
 * - it was stored under the same application and subject, byte for byte;
 * - no change announced since it was resolved touches its subject;
 * - its time to live has not passed on the monotonic clock since it was last known to be true:
 *   when its read began, or, as far as a tier hears of that, when a look at the directory's
 *   changes began, all of which were then announced;
 * - `validUntilMs` has not passed on the wall clock.
 */
export interface SetCache {
  get(key: SetKey): SetLookup | Promise<SetLookup>;
  /**
   * Remembers a set under its own application and subject. Does nothing if the set is older than
   * the newest change announced so far, or than the set it would replace: it may have been read
   * before that change, and would survive the invalidation it should have fallen to. Its read
   * began at `readAtMonotonicMs`, the last instant at which it is known by that to be true; before
   * a restart, it counts as older than that.
   *
   * Gives the set to go on with: the former one if the two don't differ, also if its time to live
   * has passed, so that what others have made of it and know by its identity need not be made anew.
   */
  put(set: PermissionSet, readAtMonotonicMs: number): PermissionSet | Promise<PermissionSet>;
  /** Forgets what `change` touches. */
  invalidate(change: SetChange): void | Promise<void>;
}
