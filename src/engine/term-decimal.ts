/**
 * Numbers as Rego writes them: decimal text of any length. Nothing here expands an exponent, so
 * that `1e999999999` costs as little as `1`.
 */

/** The exact value of a decimal text: `0.<digits> × 10^point`, `digits` empty for zero. */
export interface Decimal {
  readonly negative: boolean;
  /** Significant digits, neither starting nor ending with `0`. */
  readonly digits: string;
  readonly point: number;
}

/** Rego also has `.5` and `1.`. */
const NUMBER = /^(-?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,15}))?$/;

/** Whether `text` is a number that `readDecimal` takes. */
export function isDecimal(text: string): boolean {
  return NUMBER.test(text);
}

/** Reads a number's text. Throws for what is no number; `isDecimal` asks first. */
export function readDecimal(text: string): Decimal {
  const match = NUMBER.exec(text);
  if (match === null) throw new RangeError("not a number");
  const whole = match[2]!;
  const all = whole + (match[3] ?? "");
  let start = 0;
  while (start < all.length && all.charCodeAt(start) === 0x30) start += 1;
  let end = all.length;
  while (end > start && all.charCodeAt(end - 1) === 0x30) end -= 1;
  if (start === end) return { negative: false, digits: "", point: 0 };
  return {
    negative: match[1] === "-",
    digits: all.slice(start, end),
    point: whole.length - start + Number(match[4] ?? "0"),
  };
}

/** Orders two numbers by value: negative, 0 or positive. */
export function compareNumberTexts(a: string, b: string): number {
  if (a === b) return 0;
  const x = readDecimal(a);
  const y = readDecimal(b);
  const signs = signOf(x) - signOf(y);
  if (signs !== 0) return signs;
  return x.negative ? compareMagnitudes(y, x) : compareMagnitudes(x, y);
}

/** The value as an integer, `undefined` if it has a fraction or more than `digitsMax` digits. */
export function decimalToBigInt(decimal: Decimal, digitsMax: number): bigint | undefined {
  const { digits, point, negative } = decimal;
  if (digits === "") return 0n;
  if (digits.length > point || point > digitsMax) return undefined;
  const magnitude = BigInt(digits.padEnd(point, "0"));
  return negative ? -magnitude : magnitude;
}

function signOf(decimal: Decimal): number {
  if (decimal.digits === "") return 0;
  return decimal.negative ? -1 : 1;
}

function compareMagnitudes(a: Decimal, b: Decimal): number {
  if (a.point !== b.point) return a.point - b.point;
  if (a.digits === b.digits) return 0;
  return a.digits < b.digits ? -1 : 1;
}
