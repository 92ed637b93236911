import { compareStrings, type Term, TermNumber, TermObject, TermSet } from "../term-value.ts";

/** How `toJson` lays out the text; without it everything stands in one line. */
export interface JsonLayout {
  /** Starts every line but the first. */
  readonly prefix: string;
  /** One level of indentation. */
  readonly indent: string;
}

/**
 * JSON as Go's encoding/json writes OPA's values: sets as arrays, keys as strings in their order,
 * numbers as they were written, `<`, `>`, `&` and the line separators escaped.
 */
export function toJson(term: Term, layout?: JsonLayout): string {
  return write(term, layout, layout === undefined ? "" : `\n${layout.prefix}`);
}

/** `lineStart` is what begins a line at the level of `term`; empty without a layout. */
function write(term: Term, layout: JsonLayout | undefined, lineStart: string): string {
  if (term === null || typeof term === "boolean") return String(term);
  if (typeof term === "string") return quoteJson(term);
  if (term instanceof TermNumber) return term.text;
  const inner = layout === undefined ? "" : lineStart + layout.indent;
  const enclose = (open: string, parts: readonly string[], close: string): string =>
    parts.length === 0
      ? open + close
      : `${open}${inner}${parts.join(`,${inner}`)}${lineStart}${close}`;
  if (term instanceof TermObject) {
    const colon = layout === undefined ? ":" : ": ";
    const members = membersOf(term).map(
      ([key, value]) => quoteJson(key) + colon + write(value, layout, inner),
    );
    return enclose("{", members, "}");
  }
  const items = term instanceof TermSet ? term.items : term;
  return enclose(
    "[",
    items.map((item) => write(item, layout, inner)),
    "]",
  );
}

function membersOf(object: TermObject): [string, Term][] {
  const members = new Map<string, Term>();
  for (const [key, value] of object.entries()) {
    members.set(typeof key === "string" ? key : toJson(key), value);
  }
  return [...members].sort((a, b) => compareStrings(a[0], b[0]));
}

function quoteJson(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
