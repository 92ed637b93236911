import { type Term, termInteger } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { checkItems } from "./limits.ts";
import { asCollection, asInt, asString } from "./operands.ts";
import { occurrences } from "./text-search.ts";

/** Search in strings. Positions and counts are of code points. */
export const stringBuiltins: BuiltinFamily = {
  indexof_n: ([text, search]) => indexesOf(asString(text), asString(search)),
  "strings.count": ([text, search]) => termInteger(count(asString(text), asString(search))),
  "strings.split_n": ([text, delimiter, n]) =>
    splitN(asString(text), asString(delimiter), asInt(n)),
  "strings.any_prefix_match": ([texts, prefixes]) =>
    anyStartsWithAny(stringsOf(texts), stringsOf(prefixes)),
  "strings.any_suffix_match": ([texts, suffixes]) =>
    anyStartsWithAny(stringsOf(texts).map(reverse), stringsOf(suffixes).map(reverse)),
};

function indexesOf(text: string, search: string): Term {
  if (search === "") throw new BuiltinError("empty search text");
  const indexes: Term[] = [];
  let unit = 0;
  let codePoint = 0;
  for (const position of occurrences(text, search, true)) {
    codePoint += codePointCount(text.slice(unit, position));
    unit = position;
    indexes.push(termInteger(codePoint));
    checkItems(indexes.length);
  }
  return indexes;
}

function count(text: string, search: string): number {
  if (search === "") return codePointCount(text) + 1;
  let found = 0;
  for (const _ of occurrences(text, search, false)) found += 1;
  return found;
}

/** The first `n` parts, or the last `-n` where `n` is negative. */
function splitN(text: string, delimiter: string, n: number): Term {
  const parts = split(text, delimiter);
  const kept = n >= 0 ? parts.slice(0, n) : parts.slice(n);
  checkItems(kept.length);
  return kept;
}

function split(text: string, delimiter: string): string[] {
  if (delimiter === "") return Array.from(text);
  const parts: string[] = [];
  let start = 0;
  for (const position of occurrences(text, delimiter, false)) {
    parts.push(text.slice(start, position));
    start = position + delimiter.length;
  }
  parts.push(text.slice(start));
  return parts;
}

function stringsOf(term: Term | undefined): string[] {
  return typeof term === "string" ? [term] : asCollection(term).map(asString);
}

/** Texts that share a prefix sort together, right after it: one look per prefix is enough. */
function anyStartsWithAny(texts: readonly string[], prefixes: readonly string[]): boolean {
  const sorted = texts.toSorted(byUnits);
  return prefixes.some((prefix) => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! < prefix) low = middle + 1;
      else high = middle;
    }
    return sorted[low]?.startsWith(prefix) === true;
  });
}

function byUnits(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function reverse(text: string): string {
  return text.split("").reverse().join("");
}

function codePointCount(text: string): number {
  let points = text.length;
  for (let at = 0; at < text.length; at += 1) {
    if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) points -= 1;
  }
  return points;
}
