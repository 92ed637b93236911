/**
 * Who has what. The source of permission sets, and where they are changed; not for deciding, and
 * not for remembering sets, which `cache/` does.
 */
import type { Deadline } from "../base/deadline.ts";
import type { Catalogue } from "../decision/catalogue.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { DirectoryFile } from "./directory-file.ts";
import type { Plan } from "./plan.ts";

/** What a committed change touched; announced in the order of generations. */
export interface DirectoryChange {
  readonly generation: number;
  /** Subjects whose sets may differ; `"all"` where a role, group mapping or catalogue changed. */
  readonly subjects: "all" | readonly string[];
  /**
   * Nothing that was read before it counts, whatever its generation: another copy of the directory
   * was put back, or that can't be ruled out.
   */
  readonly isRestart?: true;
}

/** Where the caches read from. */
export interface PermissionSetSource {
  /** Resolves from one snapshot. Throws `PdpError` `unavailable` or `deadline-exceeded`. */
  resolve(application: string, subjectId: string, deadline: Deadline): Promise<PermissionSet>;
  /** The newest committed generation. */
  generation(deadline: Deadline): Promise<number>;
  /**
   * The changes after a generation, in order; one for "all" where they can't be named, which is a
   * restart with its own generation where the directory is older than `after`.
   */
  changesAfter(after: number): Promise<readonly DirectoryChange[]>;
  /** Which directory this is; the same for as long as it lives. */
  identity(): Promise<string>;
}

/** A directory file as text, with the name that its error messages begin with. */
export interface DirectoryText {
  readonly name: string;
  readonly text: string;
}

/** How a directory file is applied. */
export interface ApplyOptions {
  /** Work out the plan and leave everything as it is. */
  readonly dryRun: boolean;
}

/** The whole directory: read by caches, changed by files, watched by whoever remembers sets. */
export interface Directory extends PermissionSetSource {
  /** By application. */
  readonly catalogues: ReadonlyMap<string, Catalogue>;
  /**
   * Makes the directory agree with the file, in one transaction; applying it again changes nothing.
   * A file with mistakes changes nothing either: `PdpError` `invalid-argument`, whose message has
   * one line per mistake, each with file, line, column, field and what is expected.
   */
  apply(file: DirectoryText, options: ApplyOptions): Promise<Plan>;
  /** Whether nobody has entered a subject yet. */
  isEmpty(): Promise<boolean>;
  /** Everything that differs from the catalogues, in the form that `apply` takes. */
  show(): Promise<DirectoryFile>;
  /**
   * Calls `listener` for each committed change from now on, in order, whichever process made it.
   * The function it gives ends that.
   */
  watch(listener: (change: DirectoryChange) => void): () => void;
  /**
   * The instant (`Clock.monotonicMs`) up to which every committed change has been announced to all
   * who watch; stands still while the directory can't be read.
   */
  announcedUpToMs(): number;
  /** Ends the worker and closes the database; what is in flight fails with `unavailable`. */
  close(): Promise<void>;
}
