import { BuiltinLimit } from "./builtin.ts";

/** Most elements a built-in may put into one array or set: the addresses of a /16. */
export const ITEMS_MAX = 65_536;

/** Most UTF-16 units of text a built-in may give: as much as four inputs of the largest size. */
export const TEXT_MAX = 1024 * 1024;

/** Most digits of an integer written out; OPA bounds exponents to about as much. */
export const DIGITS_MAX = 32_768;

/** Most steps of a built-in whose work is not bounded by its input: about half a second. */
export const STEPS_MAX = 5_000_000;

/** Refuses more than `ITEMS_MAX` elements. */
export function checkItems(count: number): void {
  if (count > ITEMS_MAX) throw new BuiltinLimit(`more than ${ITEMS_MAX} elements`);
}

/** Gives the text, or refuses more than `TEXT_MAX` of it. */
export function checkText(text: string): string {
  if (text.length > TEXT_MAX) throw new BuiltinLimit(`more than ${TEXT_MAX} characters`);
  return text;
}

/** A counter that refuses to be called more than `STEPS_MAX` times. */
export function stepCounter(): () => void {
  let steps = 0;
  return () => {
    steps += 1;
    if (steps > STEPS_MAX) throw new BuiltinLimit(`more than ${STEPS_MAX} steps`);
  };
}
