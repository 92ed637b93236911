import type { BuiltinFamily } from "./builtin.ts";
import { checkText } from "./limits.ts";
import { asString } from "./operands.ts";

/** Globs, apart from `glob.match`, which wasm has. */
export const globBuiltins: BuiltinFamily = {
  "glob.quote_meta": ([text]) => checkText(asString(text).replace(/[*?\\[\]{}]/g, "\\$&")),
};
