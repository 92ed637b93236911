import { randomBytes, randomUUID } from "node:crypto";
import { formatTerm } from "../term.ts";
import { type Term, termInteger } from "../term-value.ts";
import {
  type BuiltinContext,
  BuiltinError,
  type BuiltinFamily,
  type TakeSteps,
} from "./builtin.ts";
import { checkItems } from "./limits.ts";
import { asBigInt, asNumber, asString, int64OfText } from "./operands.ts";

/** Ranges and what is random; the latter stays the same within an evaluation. */
export const numberBuiltins: BuiltinFamily = {
  "numbers.range_step": ([from, to, step], { takeSteps }) =>
    range([asBigInt(from), asBigInt(to), asBigInt(step)], takeSteps),
  "rand.intn": ([name, n], context) =>
    randomInteger(asString(name), int64OfText(asNumber(n).text), context),
  "uuid.rfc4122": ([name], context) =>
    remembered(context, `uuid.rfc4122 ${formatTerm(name as Term)}`, () => randomUUID()),
};

/** Steps for an element, and for every 64 bits of it. */
const ELEMENT_STEPS = 20;

function range([from, to, step]: readonly [bigint, bigint, bigint], takeSteps: TakeSteps): Term {
  if (step <= 0n) throw new BuiltinError("the step must be positive");
  const distance = to >= from ? to - from : from - to;
  const count = distance / step + 1n;
  checkItems(Number(count));
  takeSteps(ELEMENT_STEPS * Number(count) * (1 + wordsOf(from) + wordsOf(to)));
  const signed = to >= from ? step : -step;
  return Array.from({ length: Number(count) }, (_, index) =>
    termInteger(from + BigInt(index) * signed),
  );
}

/** How many times 64 bits the number takes, begun ones too. */
function wordsOf(value: bigint): number {
  return Math.ceil(value.toString(16).length / 16);
}

function randomInteger(name: string, n: bigint | undefined, context: BuiltinContext): Term {
  if (n === undefined || n === -(2n ** 63n)) throw new BuiltinError("expected a 64-bit integer");
  if (n === 0n) return termInteger(0);
  const limit = n < 0n ? -n : n;
  return remembered(context, `rand.intn ${limit} ${name}`, () =>
    // 128 random bits make the bias of the remainder immeasurable.
    termInteger(BigInt(`0x${randomBytes(16).toString("hex")}`) % limit),
  );
}

function remembered(context: BuiltinContext, key: string, make: () => Term): Term {
  const known = context.memo.get(key);
  if (known !== undefined) return known;
  const made = make();
  context.memo.set(key, made);
  return made;
}
