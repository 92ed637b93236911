import type { PermissionSet } from "../../src/decision/permission-set.ts";
import type { ManualClock } from "../support/manual-clock.ts";

/** Patterns that no role of the catalogue gives: whoever has one was given it here. */
export const PATTERNS = ["mesh:discover", "mesh:register", "compliance:read"] as const;
/** What the role of the model gives, unless it was edited to give nothing. */
export const ROLE_PATTERN = "compliance:report";

type SubjectId = string;

/** A subject as it really is. */
interface Subject {
  /** Pattern → when it ends on the wall clock. */
  readonly direct: Map<string, number>;
  hasRole: boolean;
  isDisabled: boolean;
}

/** What a subject had, from an instant on. */
interface Instant {
  readonly atMs: number;
  readonly wallMs: number;
  readonly generation: number;
  readonly grants: ReadonlyMap<SubjectId, readonly Grant[]>;
}

interface Grant {
  readonly pattern: string;
  readonly endsAtMs: number;
}

/** The true answers, at each instant: a plain map beside the system, that no part of it knows. */
export class Truth {
  /** Whether the role gives `ROLE_PATTERN`. */
  roleGives = true;
  readonly #clock: ManualClock;
  readonly #subjects = new Map<SubjectId, Subject>();
  readonly #instants: Instant[] = [];
  #generation = 0;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  get generation(): number {
    return this.#generation;
  }

  subject(id: SubjectId): Subject {
    const known = this.#subjects.get(id);
    if (known !== undefined) return known;
    const subject = { direct: new Map(), hasRole: false, isDisabled: false };
    this.#subjects.set(id, subject);
    return subject;
  }

  /** What was said since is so from here on; also to be called whenever a clock has moved. */
  note(generation = this.#generation): void {
    this.#generation = generation;
    const grants = new Map([...this.#subjects].map(([id, subject]) => [id, this.#grants(subject)]));
    const [atMs, wallMs] = [this.#clock.monotonicMs(), this.#clock.wallMs()];
    this.#instants.push({ atMs, wallMs, generation, grants });
  }

  /** When the change of this generation was committed, or the next that was. */
  committedAtMs(generation: number): number {
    const first = this.#instants.find((instant) => instant.generation >= generation);
    return first?.atMs ?? Number.NEGATIVE_INFINITY;
  }

  /** Everything that was a true answer, on today's wall clock, at some instant since. */
  answersSince(id: SubjectId, sinceMs: number): ReadonlySet<string> {
    const first = this.#instants.findLastIndex(({ atMs }) => atMs <= sinceMs);
    const window = this.#instants.slice(Math.max(0, first));
    const wallMs = this.#clock.wallMs();
    const answers = new Set<string>();
    for (const { grants } of window) {
      // What had ended when a set was read stays out of it, though the wall clock was set back since.
      for (const { wallMs: readAtMs } of this.#instants) {
        const endsAfterMs = Math.max(readAtMs, wallMs);
        const active = (grants.get(id) ?? []).filter(({ endsAtMs }) => endsAtMs > endsAfterMs);
        answers.add(textOf(active.map(({ pattern }) => pattern)));
      }
    }
    return answers;
  }

  #grants({ direct, hasRole, isDisabled }: Subject): readonly Grant[] {
    if (isDisabled) return [];
    const always = hasRole && this.roleGives ? [ROLE_PATTERN] : [];
    return [
      ...always.map((pattern) => ({ pattern, endsAtMs: Number.POSITIVE_INFINITY })),
      ...[...direct].map(([pattern, endsAtMs]) => ({ pattern, endsAtMs })),
    ];
  }
}

/** What a set allows on this wall clock, of what the model knows. */
export function answerOf(set: PermissionSet, wallMs: number): string {
  const active = set.classes
    .filter(({ conditions }) => (conditions.expiresAtMs ?? Number.POSITIVE_INFINITY) > wallMs)
    .flatMap(({ grants }) => grants.flatMap(({ patterns }) => patterns));
  const known: readonly string[] = [...PATTERNS, ROLE_PATTERN];
  return textOf(active.filter((pattern) => known.includes(pattern)));
}

function textOf(patterns: readonly string[]): string {
  return [...new Set(patterns)].sort().join(" ") || "nothing";
}
