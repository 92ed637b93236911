const COMPARED_CHARACTERS_MAX = 64;

/**
 * The candidate that `word` was probably meant to be, for error messages; `undefined` if none is
 * near. A third of the letters wrong is a typing mistake; more is another word.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > COMPARED_CHARACTERS_MAX) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    if (candidate.length > COMPARED_CHARACTERS_MAX) continue;
    const other = candidate.toLowerCase();
    // A name whose unit was left out, `timeout` for `timeout_ms`.
    const isBeginning = wanted.length > 2 && other.startsWith(`${wanted}_`);
    const distance = isBeginning ? 1 : editDistance(wanted, other);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `; did you mean "x"?` where something is near, else nothing. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const near = nearest(word, candidates);
  return near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
}

/** Levenshtein's distance, one row of the table at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const substituted = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
