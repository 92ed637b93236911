import { BuiltinError, BuiltinLimit } from "./builtin.ts";

/** Inclusive ranges of code points, ascending and apart; `undefined` is any character. */
export type CharacterSet = readonly (readonly [number, number])[] | undefined;

/** A place of a glob: which characters, and how often. */
export interface GlobToken {
  readonly set: CharacterSet;
  readonly repeat: "once" | "plus" | "star";
}

/** Longest glob in UTF-16 units. */
const LENGTH_MAX = 4096;

/** Longest glob in tokens: bounds the recursion of whoever compares globs. */
const TOKENS_MAX = 1000;

/** Reads a glob of characters, `.`, `[a-z]`, each with `*` or `+` behind it, and `\` to escape. */
export function parseGlob(text: string): GlobToken[] {
  if (text.length > LENGTH_MAX) throw new BuiltinLimit(`a glob of over ${LENGTH_MAX} characters`);
  const reader = new GlobReader(text);
  const tokens: GlobToken[] = [];
  for (let token = reader.token(); token !== undefined; token = reader.token()) {
    const last = tokens.at(-1);
    const isRedundant =
      last !== undefined &&
      last.repeat !== "once" &&
      token.repeat !== "once" &&
      equalSets(last.set, token.set);
    if (!isRedundant) tokens.push(token);
    else if (token.repeat === "plus") tokens[tokens.length - 1] = token;
    if (tokens.length > TOKENS_MAX) throw new BuiltinLimit(`a glob of over ${TOKENS_MAX} tokens`);
  }
  return tokens;
}

/** Whether a character is in both; `.` goes with everything, even with an empty set. */
export function setsMeet(a: CharacterSet, b: CharacterSet): boolean {
  if (a === undefined || b === undefined) return true;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i]![1] < b[j]![0]) i += 1;
    else if (b[j]![1] < a[i]![0]) j += 1;
    else return true;
  }
  return false;
}

interface Rune {
  readonly codePoint: number;
  readonly isEscaped: boolean;
}

class GlobReader {
  readonly #points: readonly number[];
  #at = 0;

  constructor(text: string) {
    this.#points = Array.from(text, (character) => character.codePointAt(0)!);
  }

  token(): GlobToken | undefined {
    const rune = this.#rune();
    if (rune === undefined) return undefined;
    const set = this.#setOf(rune);
    const next = this.#points[this.#at];
    if (next !== PLUS && next !== STAR) return { set, repeat: "once" };
    this.#at += 1;
    return { set, repeat: next === PLUS ? "plus" : "star" };
  }

  #setOf(rune: Rune): CharacterSet {
    if (!rune.isEscaped) {
      if (rune.codePoint === DOT) return undefined;
      if (rune.codePoint === OPEN) return this.#set();
      if ([CLOSE, PLUS, STAR].includes(rune.codePoint)) throw new BuiltinError("misplaced sign");
    }
    return [[rune.codePoint, rune.codePoint]];
  }

  #set(): CharacterSet {
    const ranges: [number, number][] = [];
    /** The character that a `-` would start a range from. */
    let start: number | undefined;
    for (;;) {
      const rune = this.#rune();
      if (rune === undefined) throw new BuiltinError("[ without ]");
      if (!rune.isEscaped && rune.codePoint === CLOSE) return normalise(ranges);
      if (!rune.isEscaped && rune.codePoint === DASH) {
        ranges.push(this.#range(start));
        start = undefined;
      } else {
        start = rune.codePoint;
        ranges.push([start, start]);
      }
    }
  }

  #range(start: number | undefined): [number, number] {
    const end = this.#rune();
    const isSign = end?.isEscaped === false && [CLOSE, DASH].includes(end.codePoint);
    if (start === undefined || end === undefined || isSign || end.codePoint < start) {
      throw new BuiltinError("incomplete range");
    }
    return [start, end.codePoint];
  }

  #rune(): Rune | undefined {
    const codePoint = this.#points[this.#at];
    if (codePoint === undefined) return undefined;
    this.#at += 1;
    if (codePoint !== BACKSLASH) return { codePoint, isEscaped: false };
    const escaped = this.#points[this.#at];
    if (escaped === undefined) throw new BuiltinError("ends with an escape");
    this.#at += 1;
    return { codePoint: escaped, isEscaped: true };
  }
}

const STAR = 0x2a;
const PLUS = 0x2b;
const DASH = 0x2d;
const DOT = 0x2e;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;

function normalise(ranges: [number, number][]): CharacterSet {
  const merged: [number, number][] = [];
  for (const [low, high] of ranges.sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

function equalSets(a: CharacterSet, b: CharacterSet): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.length === b.length &&
    a.every(([low, high], index) => low === b[index]![0] && high === b[index]![1])
  );
}
