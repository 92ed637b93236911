import { equalTerms, type Term, TermObject, TermSet } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily, type TakeSteps } from "./builtin.ts";
import { TURN_STEPS } from "./limits.ts";
import { isArray, typeName } from "./operands.ts";

/** Whether one collection holds another. */
export const objectSubsetBuiltins: BuiltinFamily = {
  "object.subset": ([whole, part], { takeSteps }) => {
    const contained = containment(whole, part, takeSteps);
    if (contained !== undefined) return contained;
    if (isArray(whole) && part instanceof TermSet) return arrayHoldsSet(whole, part);
    throw new BuiltinError(`no subset between ${typeName(whole)} and ${typeName(part)}`);
  },
};

/** `undefined` unless both are objects, both sets or both arrays. */
function containment(
  whole: Term | undefined,
  part: Term | undefined,
  takeSteps: TakeSteps,
): boolean | undefined {
  if (whole instanceof TermObject && part instanceof TermObject) {
    return objectHoldsObject(whole, part, takeSteps);
  }
  if (whole instanceof TermSet && part instanceof TermSet) {
    return part.items.every((item) => whole.has(item));
  }
  if (isArray(whole) && isArray(part)) return arrayHoldsArray(whole, part, takeSteps);
  return undefined;
}

function objectHoldsObject(whole: TermObject, part: TermObject, takeSteps: TakeSteps): boolean {
  return part.entries().every(([key, value]) => {
    takeSteps(TURN_STEPS);
    const held = whole.get(key);
    if (held === undefined) return false;
    return equalTerms(held, value) || containment(held, value, takeSteps) === true;
  });
}

/** Whether `part` is a run of neighbours in `whole`. */
function arrayHoldsArray(
  whole: readonly Term[],
  part: readonly Term[],
  takeSteps: TakeSteps,
): boolean {
  for (let start = 0; start + part.length <= whole.length; start += 1) {
    const matches = part.every((item, offset) => {
      takeSteps(TURN_STEPS);
      return equalTerms(item, whole[start + offset]!);
    });
    if (matches) return true;
  }
  return false;
}

/** OPA counts occurrences, not distinct elements; and an empty array holds nothing. */
function arrayHoldsSet(whole: readonly Term[], part: TermSet): boolean {
  let unmatched = part.items.length;
  return whole.some((item) => {
    if (part.has(item)) unmatched -= 1;
    return unmatched === 0;
  });
}
