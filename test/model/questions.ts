import { PdpError } from "../../src/decision/error.ts";
import type { PermissionSet } from "../../src/decision/permission-set.ts";
import type { ManualClock } from "../support/manual-clock.ts";
import { BOUND_MS, type ModelSidecar } from "./model-sidecar.ts";
import type { StepOf } from "./step.ts";
import { answerOf, type Truth } from "./truth.ts";

/** What questions are asked with. */
export interface QuestionsDeps {
  readonly clock: ManualClock;
  readonly truth: Truth;
  readonly sidecar: (who: number) => ModelSidecar;
  readonly idOf: (subject: StepOf<"ask">["subject"]) => string;
  /** The newest generation that is published in Redis. */
  readonly published: () => Promise<number>;
}

/** For so long a sidecar believes that it would have been told. */
const TRUSTED_MS = 3_000;
/** A read may take so long, less what the steps beside it take. */
const FILL_TIMEOUT_MS = 1_900;

interface Question {
  readonly who: number;
  readonly subjectId: string;
  readonly text: string;
  /** The answer must have been true at some instant since. */
  readonly sinceMs: number;
  readonly generation: number;
  /** What Redis told all who asked, where it had to be asked, and did answer. */
  readonly published: number;
  readonly redisFailures: number;
  /** Nothing has kept the sidecar from the directory meanwhile. */
  isFree: boolean;
}

/** Asks, and compares each answer with the truth. */
export class Questions {
  readonly violations: string[] = [];
  readonly #deps: QuestionsDeps;
  readonly #open = new Set<Question>();

  /** When a gate was last shut, by sidecar. */
  readonly #heldAtMs = new Map<number, number>();

  constructor(deps: QuestionsDeps) {
    this.#deps = deps;
  }

  /** What was asked so far ought to have been answered. */
  expectAnswered(): void {
    for (const question of this.#open) this.#violate(question, "was never answered");
  }

  /** Something has kept this sidecar from the directory. */
  hinder(who: number): void {
    for (const question of this.#open) if (question.who === who) question.isFree = false;
  }

  /** From here on, its reads or its questions to Redis are held up. */
  hold(who: number): void {
    this.#heldAtMs.set(who, this.#deps.clock.monotonicMs());
  }

  async ask({ who, subject, wants }: StepOf<"ask">): Promise<void> {
    const sidecar = this.#deps.sidecar(who);
    const nowMs = this.#deps.clock.monotonicMs();
    const truth = this.#deps.truth;
    const generation = wants === "newest" ? truth.generation : 0;
    const sinceMs = Math.max(
      nowMs - BOUND_MS,
      sidecar.lookedAtMs(),
      truth.committedAtMs(sidecar.heard()),
      truth.committedAtMs(generation),
      wants === "bypass" ? nowMs : 0,
    );
    const vouchedAtMs = Math.max(sidecar.lookedAtMs(), sidecar.heardAtMs());
    const isTrusted = nowMs - vouchedAtMs < TRUSTED_MS;
    const mustAsk = !isTrusted && sidecar.isRedisUp();
    const published = mustAsk ? await this.#deps.published() : 0;
    const redisFailures = sidecar.redisFailures();
    const isFree = !sidecar.isAway;
    const text = `sidecar ${who}, ${subject}, ${wants}, at ${nowMs}`;
    const question: Question = {
      ...{ who, subjectId: this.#deps.idOf(subject), text, sinceMs, generation },
      ...{ published, redisFailures, isFree },
    };
    this.#open.add(question);
    sidecar
      .ask(question.subjectId, {
        minimumGeneration: generation,
        bypassCache: wants === "bypass",
      })
      .then(
        (set) => this.#check(question, set),
        (error: unknown) => this.#checkFailure(question, error),
      )
      .finally(() => this.#open.delete(question));
  }

  #check(question: Question, set: PermissionSet): void {
    const { subjectId, generation } = question;
    const sinceMs = this.#sinceMs(question);
    const answer = answerOf(set, this.#deps.clock.wallMs());
    const truths = this.#deps.truth.answersSince(subjectId, sinceMs);
    if (set.subject.id !== subjectId) this.#violate(question, `is ${set.subject.id}`);
    if (set.generation < generation) this.#violate(question, `is of ${set.generation}`);
    if (truths.has(answer)) return;
    const was = `true since ${sinceMs}: ${[...truths].join(" | ")}`;
    this.#violate(question, `has ${answer} (generation ${set.generation}); ${was}`);
  }

  /** Whoever is vouched for by nobody asks Redis first; that it fails is no fault of its own. */
  #sinceMs({ who, sinceMs, published, redisFailures }: Question): number {
    const sidecar = this.#deps.sidecar(who);
    const hasFailed = !sidecar.isRedisUp() || sidecar.redisFailures() !== redisFailures;
    if (hasFailed) return sinceMs;
    return Math.max(sinceMs, this.#deps.truth.committedAtMs(published));
  }

  #checkFailure(question: Question, error: unknown): void {
    const isUnavailable = error instanceof PdpError && error.kind === "unavailable";
    const heldMs =
      this.#deps.clock.monotonicMs() -
      (this.#heldAtMs.get(question.who) ?? Number.POSITIVE_INFINITY);
    const mayFail = !question.isFree || heldMs >= FILL_TIMEOUT_MS;
    if (!mayFail || !isUnavailable) this.#violate(question, `failed: ${error}`);
  }

  #violate({ text }: Question, how: string): void {
    this.violations.push(`${text}: ${how}`);
  }
}
