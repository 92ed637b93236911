import { decimalToBigInt, readDecimal } from "../term-decimal.ts";
import { type Term, TermNumber, TermObject, TermSet } from "../term-value.ts";
import { BuiltinError } from "./builtin.ts";
import { DIGITS_MAX } from "./limits.ts";

/** Name of a term's type in Rego. */
export function typeName(term: Term | undefined): string {
  if (term === null) return "null";
  if (term === undefined) return "nothing";
  if (term instanceof TermNumber) return "number";
  if (term instanceof TermObject) return "object";
  if (term instanceof TermSet) return "set";
  return typeof term === "object" ? "array" : typeof term;
}

/** The term as a string. */
export function asString(term: Term | undefined): string {
  if (typeof term === "string") return term;
  throw wrongType(term, "string");
}

/** The term as a number. */
export function asNumber(term: Term | undefined): TermNumber {
  if (term instanceof TermNumber) return term;
  throw wrongType(term, "number");
}

/** The term as an array. */
export function asArray(term: Term | undefined): readonly Term[] {
  if (isArray(term)) return term;
  throw wrongType(term, "array");
}

/** The term as an object. */
export function asObject(term: Term | undefined): TermObject {
  if (term instanceof TermObject) return term;
  throw wrongType(term, "object");
}

/** What stands in an array, a set or an object, one level deep; nothing stands in other terms. */
export function elementsOf(term: Term): readonly Term[] {
  if (term instanceof TermObject) return term.values;
  if (term instanceof TermSet) return term.items;
  return isArray(term) ? term : [];
}

/** The elements of an array or a set. */
export function asCollection(term: Term | undefined): readonly Term[] {
  if (isArray(term)) return term;
  if (term instanceof TermSet) return term.items;
  throw wrongType(term, "array or set");
}

/** The term as an `int` of Go: an integer of 64 bits written without an exponent. */
export function asInt(term: Term | undefined): number {
  const value = int64OfText(asNumber(term).text);
  if (value === undefined) throw new BuiltinError("expected an integer of 64 bits");
  return Number(value);
}

/** The term as an integer of any size. */
export function asBigInt(term: Term | undefined): bigint {
  const value = decimalToBigInt(readDecimal(asNumber(term).text), DIGITS_MAX);
  if (value === undefined) throw new BuiltinError("expected an integer");
  return value;
}

/** Whether the term is an array. */
export function isArray(term: Term | undefined): term is readonly Term[] {
  return Array.isArray(term);
}

const INT64 = /^[+-]?(?=[0-9.]{1,19}$)([0-9]*)(?:\.0*)?$/;
const INT64_MAX = 2n ** 63n - 1n;

/** Reads what OPA takes for an integer of 64 bits: `12`, also `12.00`, never `1e1`. */
export function int64OfText(text: string): bigint | undefined {
  const match = INT64.exec(text);
  if (match === null) return undefined;
  const magnitude = BigInt(match[1]!);
  if (text.startsWith("-")) return magnitude <= INT64_MAX + 1n ? -magnitude : undefined;
  return magnitude <= INT64_MAX ? magnitude : undefined;
}

function wrongType(term: Term | undefined, expected: string): BuiltinError {
  return new BuiltinError(`expected ${expected}, got ${typeName(term)}`);
}
