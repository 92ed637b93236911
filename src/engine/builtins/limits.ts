import { BuiltinLimit } from "./builtin.ts";

/** Most elements a built-in may put into one array or set: the addresses of a /16. */
export const ITEMS_MAX = 65_536;

/** Most UTF-16 units of text a built-in may give: as much as four inputs of the largest size. */
export const TEXT_MAX = 1024 * 1024;

/** Most digits of an integer written out; OPA bounds exponents to about as much. */
export const DIGITS_MAX = 32_768;

/** Steps for a turn of a loop whose length is not bounded by what goes in and comes out. */
export const TURN_STEPS = 10;

/** Refuses more than `ITEMS_MAX` elements. */
export function checkItems(count: number): void {
  if (count > ITEMS_MAX) throw new BuiltinLimit(`more than ${ITEMS_MAX} elements`);
}

/** Gives the text, or refuses more than `TEXT_MAX` of it. */
export function checkText(text: string): string {
  if (text.length > TEXT_MAX) throw new BuiltinLimit(`more than ${TEXT_MAX} characters`);
  return text;
}
