import { type Term, TermNumber, TermObject, TermSet } from "../term-value.ts";
import { quote } from "./go-quote.ts";

/** A term as OPA prints it: `{"a": [1, {"x"}]}`, `set()`. */
export function printTerm(term: Term): string {
  if (term === null || typeof term === "boolean") return String(term);
  if (typeof term === "string") return quote(term);
  if (term instanceof TermNumber) return term.text;
  if (term instanceof TermSet) {
    return term.items.length === 0 ? "set()" : `{${term.items.map(printTerm).join(", ")}}`;
  }
  if (term instanceof TermObject) {
    const members = term.entries().map(([key, value]) => `${printTerm(key)}: ${printTerm(value)}`);
    return `{${members.join(", ")}}`;
  }
  return `[${term.map(printTerm).join(", ")}]`;
}
