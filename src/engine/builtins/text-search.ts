/**
 * Positions at which `search` occurs in `text`, in UTF-16 units, in time linear in both
 * (Knuth-Morris-Pratt): `indexOf` may take their product, and both can come from a request.
 * `search` is not empty.
 */
export function* occurrences(
  text: string,
  search: string,
  overlapping: boolean,
): Generator<number, void> {
  const borders = borderLengths(search);
  let matched = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    while (matched > 0 && search.charCodeAt(matched) !== unit) matched = borders[matched - 1]!;
    if (search.charCodeAt(matched) === unit) matched += 1;
    if (matched === search.length) {
      yield at - matched + 1;
      matched = overlapping ? borders[matched - 1]! : 0;
    }
  }
}

/** Length of the longest proper border of each prefix of `search`. */
function borderLengths(search: string): Uint32Array {
  const borders = new Uint32Array(search.length);
  let length = 0;
  for (let at = 1; at < search.length; at += 1) {
    const unit = search.charCodeAt(at);
    while (length > 0 && search.charCodeAt(length) !== unit) length = borders[length - 1]!;
    if (search.charCodeAt(length) === unit) length += 1;
    borders[at] = length;
  }
  return borders;
}
