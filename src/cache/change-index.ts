import type { SetChange } from "./cache.ts";

/**
 * Which subject was last touched by which change, without a gap between two generations. A set of
 * generation g is true as of `upTo` where g is not below `touchedAt` its subject.
 */
export class ChangeIndex {
  readonly #subjectsMax: number;
  /** In about the order of their changes, the oldest first. */
  readonly #touched = new Map<string, number>();
  /** Whoever is not in the map may have been touched by any change up to this one. */
  #from: number;
  #upTo: number;

  constructor(generation: number, subjectsMax = SUBJECTS_MAX) {
    this.#subjectsMax = subjectsMax;
    this.#from = generation;
    this.#upTo = generation;
  }

  /** All changes up to this generation are taken into account. */
  get upTo(): number {
    return this.#upTo;
  }

  /** The newest change that may have touched the subject. */
  touchedAt(subjectId: string): number {
    return Math.max(this.#from, this.#touched.get(subjectId) ?? 0);
  }

  /**
   * Takes the one change between the generations `after` and its own. `false` if changes before it
   * are missing: then it counts as one of everything.
   */
  take(change: SetChange, after: number): boolean {
    const hasGap = after > this.#upTo;
    if (hasGap) this.#from = Math.max(this.#from, change.generation);
    else this.note(change);
    this.#upTo = Math.max(this.#upTo, change.generation);
    return !hasGap;
  }

  /** Takes notice of a change, whether or not those before it are known. */
  note({ generation, subjects }: SetChange): void {
    if (subjects === "all") {
      this.#from = Math.max(this.#from, generation);
      return;
    }
    for (const subjectId of subjects) {
      const known = this.#touched.get(subjectId) ?? 0;
      if (known >= generation) continue;
      this.#touched.delete(subjectId);
      this.#touched.set(subjectId, generation);
    }
    this.#forgetOldest();
  }

  /** Forgets everything: all up to `generation` is unknown, and it is the newest. */
  restart(generation: number): void {
    this.#touched.clear();
    this.#from = generation;
    this.#upTo = generation;
  }

  #forgetOldest(): void {
    for (const [subjectId, generation] of this.#touched) {
      if (this.#touched.size <= this.#subjectsMax) return;
      this.#touched.delete(subjectId);
      this.#from = Math.max(this.#from, generation);
    }
  }
}

/** About 10 MB with ordinary ids. */
const SUBJECTS_MAX = 100_000;
