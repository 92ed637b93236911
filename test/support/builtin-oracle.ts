import { BuiltinError, type BuiltinFamily } from "../../src/engine/builtins/builtin.ts";
import { formatTerm, parseTerm, type Term } from "../../src/engine/term.ts";
import { builtinContext } from "./builtin-context.ts";
import { opaEval } from "./opa.ts";

/** A call of a built-in. */
export interface BuiltinCall {
  readonly name: string;
  readonly args: readonly Term[];
}

/** A call whose value differs between OPA and ours, all as Rego text. */
export interface Disagreement {
  readonly call: string;
  readonly opa: string;
  readonly ours: string;
}

const NOW_NS = 1_700_000_000_123_456_789n;

/** Calls from text: `["time.date", "0", "[0, \"Europe/Berlin\"]"]` is two calls. */
export function callsOf(name: string, ...argumentLists: readonly string[]): BuiltinCall[] {
  return argumentLists.map((list) => ({ name, args: parseTerm(`[${list}]`) as readonly Term[] }));
}

/** Where the family disagrees with OPA's own evaluator, which sees all calls in one process. */
export function disagreements(
  family: BuiltinFamily,
  calls: readonly BuiltinCall[],
): Disagreement[] {
  const answers = evaluateWithOpa(calls);
  return calls.flatMap((call, index) => {
    const opa = answers[index];
    if (opa === undefined) return [];
    const ours = evaluateOurs(family, call);
    return opa === ours ? [] : [{ call: `${call.name}${formatTerm(call.args)}`, opa, ours }];
  });
}

function evaluateOurs(family: BuiltinFamily, call: BuiltinCall): string {
  try {
    return formatTerm(family[call.name]!(call.args, builtinContext(NOW_NS)));
  } catch (error) {
    if (error instanceof BuiltinError) return "undefined";
    return String(error);
  }
}

/**
 * Text of each call's value by topdown, `undefined` where an error made it undefined. Of a call on
 * which OPA itself panics there is nothing to learn: it is found by halving, and left out.
 */
function evaluateWithOpa(calls: readonly BuiltinCall[]): (string | undefined)[] {
  try {
    return evaluateAllWithOpa(calls);
  } catch (error) {
    if (!String(error).includes("panic: ")) throw error;
    if (calls.length === 1) return [undefined];
    const half = calls.length >> 1;
    return [...evaluateWithOpa(calls.slice(0, half)), ...evaluateWithOpa(calls.slice(half))];
  }
}

function evaluateAllWithOpa(calls: readonly BuiltinCall[]): string[] {
  const answers = opaEval({ "oracle.rego": oracleModule(calls) }, "data.oracle.out") as Record<
    string,
    string
  >;
  return calls.map((_, index) => {
    const printed = answers[String(index)];
    // Printed inside an array, since a string alone is printed without quotes.
    return printed === undefined
      ? "undefined"
      : formatTerm(parseTerm(toJsonEscapes(printed))).slice(1, -1);
  });
}

function oracleModule(calls: readonly BuiltinCall[]): string {
  const names = [...new Set(calls.map((call) => call.name))];
  const rules = names.map((name) => {
    const indexes = calls.flatMap((call, index) => (call.name === name ? [index] : []));
    const arity = calls[indexes[0]!]!.args.length;
    const args = Array.from({ length: arity }, (_, index) => `args[${index}]`).join(", ");
    return `out[index] := sprintf("%v", [[${name}(${args})]]) if {
  some index in [${indexes.join(", ")}]
  args := lists[index]
}`;
  });
  // `object.get` hides the types of the arguments, which OPA would refuse when it compiles.
  const lists = calls.map((call) => formatTerm(call.args)).join(",\n");
  return `package oracle

lists := object.get({"lists": [${lists}]}, "lists", [])

${rules.join("\n\n")}
`;
}

const GO_ESCAPE = /\\(?:U([0-9a-f]{8})|x([0-9a-f]{2})|(.))/g;

/** OPA prints strings as Go quotes them, which has escapes that JSON lacks. */
function toJsonEscapes(text: string): string {
  return text.replace(GO_ESCAPE, (whole, long?: string, byte?: string, other?: string) => {
    if (long !== undefined) return String.fromCodePoint(Number.parseInt(long, 16));
    if (byte !== undefined) return `\\u00${byte}`;
    if (other === "a") return "\\u0007";
    return other === "v" ? "\\u000b" : whole;
  });
}
