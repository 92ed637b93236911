import { type Term, TermNumber, termInteger } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily, BuiltinLimit, type TakeSteps } from "./builtin.ts";
import { DIGITS_MAX } from "./limits.ts";
import { asString } from "./operands.ts";

/** Amounts with a unit. */
export const unitBuiltins: BuiltinFamily = {
  "units.parse": ([text], { takeSteps }) =>
    parseUnits(asString(text).replaceAll('"', ""), takeSteps),
  "units.parse_bytes": ([text], { takeSteps }) =>
    parseBytes(asString(text).toLowerCase().replaceAll('"', ""), takeSteps),
};

/** A non-negative denominator is kept apart, so that no digit is lost. */
interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const PREFIXES = ["k", "m", "g", "t", "p", "e"];

/** Suffix → factor for `units.parse`, which tells `m` (milli) from `M`. */
const UNITS: ReadonlyMap<string, Fraction> = new Map([
  ["", whole(1n)],
  // OPA multiplies by the float64 nearest to 0.001, and so must we.
  ["m", { numerator: 1_152_921_504_606_847n, denominator: 2n ** 60n }],
  ...PREFIXES.flatMap((prefix, index): [string, Fraction][] => {
    const decimal = whole(1000n ** BigInt(index + 1));
    const binary = whole(1024n ** BigInt(index + 1));
    const upper = prefix.toUpperCase();
    return [
      [upper, decimal],
      [`${prefix}i`, binary],
      [`${upper}i`, binary],
      ...(prefix === "m" ? [] : [[prefix, decimal] as [string, Fraction]]),
    ];
  }),
]);

/** Suffix → factor for `units.parse_bytes`. */
const BYTE_UNITS: ReadonlyMap<string, Fraction> = new Map([
  ["", whole(1n)],
  ...PREFIXES.flatMap((prefix, index): [string, Fraction][] => {
    const decimal = whole(1000n ** BigInt(index + 1));
    const binary = whole(1024n ** BigInt(index + 1));
    return [
      [prefix, decimal],
      [`${prefix}b`, decimal],
      [`${prefix}i`, binary],
      [`${prefix}ib`, binary],
    ];
  }),
]);

function parseUnits(text: string, takeSteps: TakeSteps): Term {
  const { amount, unit } = splitAmount(text);
  const suffix = unit.slice(0, 1) + unit.slice(1).toLowerCase();
  const { numerator, denominator } = multiply(
    fractionOf(amount, takeSteps),
    factorOf(UNITS, suffix),
  );
  if (numerator % denominator === 0n) return termInteger(numerator / denominator);
  const tenDigits = roundHalfAway(numerator * 10n ** 10n, denominator);
  const digits = (tenDigits < 0n ? -tenDigits : tenDigits).toString().padStart(11, "0");
  // Go writes the sign of a negative amount even where it rounds to zero.
  const sign = numerator < 0n ? "-" : "";
  return new TermNumber(`${sign}${digits.slice(0, -10)}.${digits.slice(-10)}`);
}

/** OPA computes with big.Float of 64 bits, rounds twice, then drops the fraction. */
function parseBytes(text: string, takeSteps: TakeSteps): Term {
  const { amount, unit } = splitAmount(text);
  const factor = factorOf(BYTE_UNITS, unit);
  const rounded = roundTo64Bits(fractionOf(amount, takeSteps));
  const { numerator, denominator } = roundTo64Bits(multiply(rounded, factor));
  return termInteger(numerator / denominator);
}

/** Divides text where its number ends; an `e` belongs to it only as an exponent. */
function splitAmount(text: string): { amount: string; unit: string } {
  if (text.includes(" ")) throw new BuiltinError("spaces in an amount");
  const end = amountEnd(text);
  if (end === 0) throw new BuiltinError("no amount");
  return { amount: text.slice(0, end), unit: text.slice(end) };
}

const EXPONENT = /[eE][+-]?([0-9]*)/y;

function amountEnd(text: string): number {
  let at = 0;
  while (at < text.length) {
    const sign = text[at]!;
    if (!/[0-9.eE+-]/.test(sign)) return at;
    if (sign === "e" || sign === "E") {
      if (!/[0-9+-]/.test(text[at + 1] ?? "")) return at;
      EXPONENT.lastIndex = at;
      const digits = EXPONENT.exec(text)![1]!;
      if (digits.length > 6) throw new BuiltinError("exponent too large");
      if (/[+-]/.test(text[at + 1]!)) at += 1;
    }
    at += 1;
  }
  return text.length;
}

const AMOUNT = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?$/;

/** Steps for each digit of an amount, which an exponent of few characters may make many. */
const DIGIT_STEPS = 10;

function fractionOf(amount: string, takeSteps: TakeSteps): Fraction {
  const match = AMOUNT.exec(amount);
  const fraction = match?.[3] ?? "";
  const digits = (match?.[2] ?? "") + fraction;
  if (match === null || digits === "") throw new BuiltinError("not a number");
  const exponent = Number(match[4] ?? "0") - fraction.length;
  if (digits.length > DIGITS_MAX || Math.abs(exponent) > DIGITS_MAX) {
    throw new BuiltinLimit(`an amount of more than ${DIGITS_MAX} digits`);
  }
  takeSteps(DIGIT_STEPS * (digits.length + Math.abs(exponent)));
  const power = 10n ** BigInt(Math.abs(exponent));
  const value = match[1] === "-" ? -BigInt(digits) : BigInt(digits);
  return exponent < 0
    ? { numerator: value, denominator: power }
    : { numerator: value * power, denominator: 1n };
}

function factorOf(units: ReadonlyMap<string, Fraction>, unit: string): Fraction {
  const factor = units.get(unit);
  if (factor === undefined) throw new BuiltinError("unknown unit");
  return factor;
}

function whole(numerator: bigint): Fraction {
  return { numerator, denominator: 1n };
}

function multiply(a: Fraction, b: Fraction): Fraction {
  return {
    numerator: a.numerator * b.numerator,
    denominator: a.denominator * b.denominator,
  };
}

/** `n / d` to the nearest integer, halves away from zero. */
function roundHalfAway(n: bigint, d: bigint): bigint {
  const magnitude = ((n < 0n ? -n : n) * 2n + d) / (d * 2n);
  return n < 0n ? -magnitude : magnitude;
}

/** The nearest value with 64 significant bits, halves to even. */
function roundTo64Bits(value: Fraction): Fraction {
  const negative = value.numerator < 0n;
  const n = negative ? -value.numerator : value.numerator;
  const d = value.denominator;
  if (n === 0n) return whole(0n);
  // Scales by a power of two so that the quotient has 64 bits, or 65 as the sizes are estimates.
  const scale = 64n - BigInt(n.toString(2).length - d.toString(2).length);
  const scaledN = scale > 0n ? n << scale : n;
  const scaledD = scale > 0n ? d : d << -scale;
  const extra = scaledN / scaledD >= 2n ** 64n ? 1n : 0n;
  const mantissa = roundHalfEven(scaledN, scaledD << extra);
  const exponent = extra - scale;
  const signed = negative ? -mantissa : mantissa;
  return exponent >= 0n
    ? whole(signed << exponent)
    : { numerator: signed, denominator: 1n << -exponent };
}

function roundHalfEven(n: bigint, d: bigint): bigint {
  const quotient = n / d;
  const twice = (n % d) * 2n;
  const up = twice > d || (twice === d && quotient % 2n === 1n);
  return up ? quotient + 1n : quotient;
}
