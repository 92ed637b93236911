import type { Term, TermObject } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { toJson } from "./json-text.ts";
import { checkText } from "./limits.ts";
import { asObject, asString } from "./operands.ts";

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
  return isPretty ? prefix + toJson(term, { prefix, indent }) : toJson(term);
}
