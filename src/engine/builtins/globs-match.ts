import type { BuiltinFamily, TakeSteps } from "./builtin.ts";
import { type GlobToken, parseGlob, setsMeet } from "./glob-tokens.ts";
import { TURN_STEPS } from "./limits.ts";
import { asString } from "./operands.ts";

/** Whether two globs have a text in common. */
export const globsMatchBuiltins: BuiltinFamily = {
  "regex.globs_match": ([a, b], { takeSteps }) =>
    globsMatch(parseGlob(asString(a)), parseGlob(asString(b)), takeSteps),
};

type Glob = readonly GlobToken[];

/**
 * The search of the Go package glob-intersection, which OPA uses, step by step: it does not find
 * every common text, so that an exact search would answer differently.
 */
function globsMatch(first: Glob, second: Glob, takeSteps: TakeSteps): boolean {
  const trimmed = trim(first, second);
  return trimmed !== undefined && new Intersection(trimmed, takeSteps).exists();
}

/** Takes equal ends off, but for one token; `undefined` where they contradict each other. */
function trim(a: Glob, b: Glob): [Glob, Glob] | undefined {
  const isPlain = (i: number, j: number): boolean =>
    a[i]?.repeat === "once" && b[j]?.repeat === "once";
  let start = 0;
  for (; isPlain(start, start); start += 1) {
    if (!setsMeet(a[start]!.set, b[start]!.set)) return undefined;
  }
  if (start > 0) start -= 1;
  let endA = a.length - 1;
  let endB = b.length - 1;
  for (; endA >= start && endB >= start && isPlain(endA, endB); endA -= 1, endB -= 1) {
    if (!setsMeet(a[endA]!.set, b[endB]!.set)) return undefined;
  }
  if (endA < a.length - 1) {
    endA += 1;
    endB += 1;
  }
  return [a.slice(start, endA + 1), b.slice(start, endB + 1)];
}

/** The globs with their places in an order that matters: the first one's repeats go first. */
class Intersection {
  readonly #a: Glob;
  readonly #b: Glob;
  readonly #takeSteps: TakeSteps;
  /** Answers of `#fromHere` by place, without which the search would be exponential. */
  readonly #known = new Map<number, boolean>();
  /** The same search with the globs exchanged. */
  readonly #swapped: Intersection;

  constructor([a, b]: readonly [Glob, Glob], takeSteps: TakeSteps, swapped?: Intersection) {
    this.#a = a;
    this.#b = b;
    this.#takeSteps = takeSteps;
    this.#swapped = swapped ?? new Intersection([b, a], takeSteps, this);
  }

  exists(): boolean {
    return this.#fromHere(0, 0);
  }

  #fromHere(i: number, j: number): boolean {
    const key = i * (this.#b.length + 1) + j;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const answer = this.#search(i, j);
    this.#known.set(key, answer);
    return answer;
  }

  /** Steps for a turn at which two tokens are compared. */
  #takeTurn(a: GlobToken, b: GlobToken): void {
    this.#takeSteps(TURN_STEPS + (a.set?.length ?? 0) + (b.set?.length ?? 0));
  }

  #search(startA: number, startB: number): boolean {
    let i = startA;
    let j = startB;
    for (; i < this.#a.length && j < this.#b.length; i += 1, j += 1) {
      const a = this.#a[i]!;
      const b = this.#b[j]!;
      this.#takeTurn(a, b);
      if (a.repeat !== "once") return this.#repeat(i, j);
      if (b.repeat !== "once") return this.#swapped.#repeat(j, i);
      if (!setsMeet(a.set, b.set)) return false;
    }
    return i === this.#a.length && j === this.#b.length;
  }

  /** The token of the first glob repeats. */
  #repeat(i: number, j: number): boolean {
    const a = this.#a[i]!;
    if (a.repeat === "star") return this.#star(i, j);
    const b = this.#b[j]!;
    if (!setsMeet(a.set, b.set)) return false;
    if (this.#star(i, j + 1)) return true;
    return b.repeat !== "once" && this.#fromHere(i + 1, j);
  }

  /** Lets the repeating token take what it can, until the rest goes together. */
  #star(i: number, startB: number): boolean {
    const star = this.#a[i]!;
    const next = this.#a[i + 1];
    for (let j = startB; j < this.#b.length; j += 1) {
      const b = this.#b[j]!;
      this.#takeTurn(next ?? star, b);
      if (next !== undefined && setsMeet(b.set, next.set) && this.#fromHere(i + 1, j)) return true;
      if (!setsMeet(b.set, star.set)) return false;
    }
    return next === undefined;
  }
}
