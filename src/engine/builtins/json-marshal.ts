import type { Term, TermObject } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily, BuiltinLimit } from "./builtin.ts";
import { toJson } from "./json-text.ts";
import { checkText, TEXT_MAX } from "./limits.ts";
import { asObject, asString, elementsOf } from "./operands.ts";

/** JSON text laid out as the caller asks. */
export const jsonMarshalBuiltins: BuiltinFamily = {
  "json.marshal_with_options": ([term, options]) =>
    checkText(marshal(term as Term, asObject(options))),
};

function marshal(term: Term, options: TermObject): string {
  let prefix = "";
  let indent = "\t";
  let pretty: boolean | undefined;
  for (const [name, value] of options.entries()) {
    if (name === "prefix") prefix = asString(value);
    else if (name === "indent") indent = asString(value);
    else if (name === "pretty" && typeof value === "boolean") pretty = value;
    else throw new BuiltinError("unknown option");
  }
  const isPretty = pretty ?? options.keys.length > 0;
  // Go leaves the prefix off the first line; OPA puts it back.
  if (!isPretty) return toJson(term);
  checkLines(term, { first: prefix.length, inner: indent.length });
  return prefix + toJson(term, { prefix, indent });
}

/** Refuses, before it is written, text whose lines start with more than it may have in all. */
function checkLines(term: Term, { first, inner }: { first: number; inner: number }): void {
  let length = 0;
  const visit = (value: Term, start: number): void => {
    for (const part of elementsOf(value)) {
      length += start;
      if (length > TEXT_MAX) throw new BuiltinLimit(`more than ${TEXT_MAX} characters`);
      visit(part, start + inner);
    }
  };
  visit(term, first + inner);
}
