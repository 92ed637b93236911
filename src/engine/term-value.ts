/**
 * Rego values outside of wasm, as built-ins take and give them. Nothing is lost: sets stay sets,
 * object keys may be anything, numbers keep every digit. Not for the hot path, which never leaves
 * the wasm heap.
 */
import { compareNumberTexts } from "./term-decimal.ts";

/** A Rego value. Arrays are arrays; the classes below are the rest. */
export type Term = null | boolean | string | TermNumber | readonly Term[] | TermObject | TermSet;

/** A number by its text, e.g. `1`, `0.10`, `9007199254740993`, `1e+21`. */
export class TermNumber {
  readonly text: string;
  #nearest: number | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** The float64 nearest to it, read once: sorting compares a number with many others. */
  get nearest(): number {
    this.#nearest ??= Number(this.text);
    return this.#nearest;
  }
}

/** A set. Made by `termSet`. */
export class TermSet {
  /** In Rego's order, without duplicates. */
  readonly items: readonly Term[];

  constructor(items: readonly Term[]) {
    this.items = items;
  }

  has(item: Term): boolean {
    return indexOf(this.items, item) >= 0;
  }
}

/** An object with keys of any type. Made by `termObject`. */
export class TermObject {
  /** In Rego's order, without duplicates. */
  readonly keys: readonly Term[];
  /** `values[i]` belongs to `keys[i]`. */
  readonly values: readonly Term[];

  constructor(keys: readonly Term[], values: readonly Term[]) {
    this.keys = keys;
    this.values = values;
  }

  get(key: Term): Term | undefined {
    const index = this.indexOf(key);
    return index < 0 ? undefined : this.values[index];
  }

  /** Place of the key in `keys`, -1 if it is not there. */
  indexOf(key: Term): number {
    return indexOf(this.keys, key);
  }

  /** Pairs in the order of the keys. */
  entries(): [Term, Term][] {
    return this.keys.map((key, index) => [key, this.values[index]!]);
  }
}

/** An integer as a term. */
export function termInteger(value: number | bigint): TermNumber {
  return new TermNumber(value.toString());
}

/** A set of the items, duplicates removed. */
export function termSet(items: Iterable<Term>): TermSet {
  const sorted = [...items].sort(compareTerms);
  return new TermSet(
    sorted.filter((item, index) => index === 0 || compareTerms(sorted[index - 1]!, item) !== 0),
  );
}

/** An object of the pairs; of equal keys the last pair counts. */
export function termObject(entries: Iterable<readonly [Term, Term]>): TermObject {
  // The sort is stable, so that the last of equal keys is the last given.
  const sorted = [...entries].sort((a, b) => compareTerms(a[0], b[0]));
  const kept = sorted.filter(
    (entry, index) =>
      index === sorted.length - 1 || compareTerms(entry[0], sorted[index + 1]![0]) !== 0,
  );
  return new TermObject(
    kept.map((entry) => entry[0]),
    kept.map((entry) => entry[1]),
  );
}

/** Rego's total order: null < boolean < number < string < array < object < set. */
export function compareTerms(a: Term, b: Term): number {
  if (a === b) return 0;
  const ranks = rank(a) - rank(b);
  if (ranks !== 0) return ranks;
  if (typeof a === "string") return compareStrings(a, b as string);
  if (a instanceof TermNumber) return compareNumbers(a, b as TermNumber);
  if (a instanceof TermSet) return compareLists(a.items, (b as TermSet).items);
  if (a instanceof TermObject) return compareObjects(a, b as TermObject);
  if (a === null) return 0;
  if (typeof a === "boolean") return a ? 1 : -1;
  return compareLists(a, b as readonly Term[]);
}

/** Orders strings by code point, as their UTF-8 is ordered; `<` orders by UTF-16 unit. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const x = a.charCodeAt(index);
    const y = b.charCodeAt(index);
    if (x !== y) {
      // Surrogates stand for code points above every single unit.
      const surrogates = Number(isSurrogate(x)) - Number(isSurrogate(y));
      return surrogates === 0 ? x - y : surrogates;
    }
  }
  return a.length - b.length;
}

/** Rego's equality: `1` and `1.0` are equal. */
export function equalTerms(a: Term, b: Term): boolean {
  return compareTerms(a, b) === 0;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function rank(term: Term): number {
  if (term === null) return 0;
  if (typeof term === "boolean") return 1;
  if (term instanceof TermNumber) return 2;
  if (typeof term === "string") return 3;
  if (term instanceof TermObject) return 5;
  return term instanceof TermSet ? 6 : 4;
}

/** Rounding keeps the order, so that only numbers of one float64 have to be looked at digit by digit. */
function compareNumbers(a: TermNumber, b: TermNumber): number {
  if (a.nearest !== b.nearest) return a.nearest < b.nearest ? -1 : 1;
  return compareNumberTexts(a.text, b.text);
}

function compareLists(a: readonly Term[], b: readonly Term[]): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const order = compareTerms(a[index]!, b[index]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareObjects(a: TermObject, b: TermObject): number {
  const length = Math.min(a.keys.length, b.keys.length);
  for (let index = 0; index < length; index += 1) {
    const keys = compareTerms(a.keys[index]!, b.keys[index]!);
    if (keys !== 0) return keys;
    const values = compareTerms(a.values[index]!, b.values[index]!);
    if (values !== 0) return values;
  }
  return a.keys.length - b.keys.length;
}

function indexOf(sorted: readonly Term[], wanted: Term): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = compareTerms(sorted[middle]!, wanted);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
