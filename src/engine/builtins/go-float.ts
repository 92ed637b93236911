/** Finite float64 values as text, as Go's strconv.FormatFloat writes them. */

/** `0.<digits> × 10^point`; no trailing zeros. */
interface Digits {
  readonly digits: string;
  readonly point: number;
}

export type FloatVerb = "b" | "e" | "E" | "f" | "g" | "G" | "x" | "X";

/** `precision` as Go has it: digits after the point, for `g` all digits, -1 for the shortest. */
export function formatFloat(value: number, verb: FloatVerb, precision: number): string {
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const magnitude = Math.abs(value);
  switch (verb) {
    case "b":
      return sign + binaryForm(magnitude);
    case "x":
      return sign + hexadecimalForm(magnitude, precision);
    case "X":
      return sign + hexadecimalForm(magnitude, precision).toUpperCase();
    case "f":
      return sign + fixedForm(magnitude, precision);
    case "e":
      return sign + exponentForm(magnitude, precision);
    case "E":
      return sign + exponentForm(magnitude, precision).toUpperCase();
    case "g":
      return sign + generalForm(magnitude, precision);
    case "G":
      return sign + generalForm(magnitude, precision).toUpperCase();
  }
}

function fixedForm(magnitude: number, precision: number): string {
  if (precision < 0) {
    const shortest = shortestDigits(magnitude);
    return writeFixed(shortest, Math.max(shortest.digits.length - shortest.point, 0));
  }
  const exact = exactDigits(magnitude);
  return writeFixed(roundDigits(exact, exact.point + precision), precision);
}

function exponentForm(magnitude: number, precision: number): string {
  if (precision < 0) {
    const shortest = shortestDigits(magnitude);
    return writeExponent(shortest, Math.max(shortest.digits.length - 1, 0));
  }
  return writeExponent(roundDigits(exactDigits(magnitude), precision + 1), precision);
}

function generalForm(magnitude: number, precision: number): string {
  const wanted = precision === 0 ? 1 : precision;
  const rounded =
    wanted < 0 ? shortestDigits(magnitude) : roundDigits(exactDigits(magnitude), wanted);
  const count = rounded.digits.length;
  const exponent = rounded.digits === "" ? -1 : rounded.point - 1;
  let exponentMax = wanted < 0 ? 6 : wanted;
  if (wanted > count && count >= rounded.point) exponentMax = count;
  if (exponent < -4 || exponent >= exponentMax)
    return writeExponent(rounded, Math.max(count - 1, 0));
  return writeFixed(rounded, Math.max(count - rounded.point, 0));
}

function writeFixed({ digits, point }: Digits, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0";
  if (precision === 0) return whole;
  const fraction = point >= 0 ? digits.slice(point) : "0".repeat(-point) + digits;
  return `${whole}.${fraction.slice(0, precision).padEnd(precision, "0")}`;
}

function writeExponent({ digits, point }: Digits, precision: number): string {
  const exponent = digits === "" ? 0 : point - 1;
  const fraction = digits.slice(1, precision + 1).padEnd(precision, "0");
  const mantissa = (digits[0] ?? "0") + (precision === 0 ? "" : `.${fraction}`);
  return `${mantissa}e${signed(exponent, 2)}`;
}

function signed(exponent: number, width: number): string {
  return (exponent < 0 ? "-" : "+") + Math.abs(exponent).toString().padStart(width, "0");
}

/** The fewest digits that read back as the same value; JavaScript's and Go's are the same. */
function shortestDigits(magnitude: number): Digits {
  const [mantissa, exponent] = magnitude.toExponential().split("e");
  const digits = mantissa!.replace(".", "");
  return magnitude === 0 ? { digits: "", point: 0 } : { digits, point: Number(exponent) + 1 };
}

/** All digits of the value, which is a fraction with a power of two below. */
function exactDigits(magnitude: number): Digits {
  const { mantissa, exponent } = binaryParts(magnitude);
  if (mantissa === 0n) return { digits: "", point: 0 };
  // m × 2^-k = m × 5^k × 10^-k.
  const all =
    exponent >= 0
      ? (mantissa << BigInt(exponent)).toString()
      : (mantissa * 5n ** BigInt(-exponent)).toString();
  const point = all.length + Math.min(exponent, 0);
  return { digits: all.replace(/0+$/, ""), point };
}

/** Keeps `count` digits, rounding to nearest, halves to even. */
function roundDigits({ digits, point }: Digits, count: number): Digits {
  if (count >= digits.length) return { digits, point };
  if (count < 0) return { digits: "", point: 0 };
  const kept = digits.slice(0, count);
  const rest = digits.slice(count);
  const isHalf = rest === "5";
  const isOdd = count > 0 && Number(digits[count - 1]) % 2 === 1;
  const up = isHalf ? isOdd : rest >= "5";
  if (!up) {
    const trimmed = kept.replace(/0+$/, "");
    return { digits: trimmed, point: trimmed === "" ? 0 : point };
  }
  const incremented = (BigInt(kept || "0") + 1n).toString().padStart(count, "0");
  const carry = incremented.length - count;
  return { digits: incremented.replace(/0+$/, ""), point: point + carry };
}

/** `magnitude = mantissa × 2^exponent`, the mantissa as IEEE 754 stores it. */
function binaryParts(magnitude: number): { mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, magnitude);
  const bits = view.getBigUint64(0);
  const biased = Number(bits >> 52n);
  const fraction = bits & (2n ** 52n - 1n);
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}

function binaryForm(magnitude: number): string {
  const { mantissa, exponent } = binaryParts(magnitude);
  return `${mantissa}p${signed(exponent, 1)}`;
}

function hexadecimalForm(magnitude: number, precision: number): string {
  let { mantissa, exponent } = binaryParts(magnitude);
  if (mantissa === 0n) {
    return `0x0${precision > 0 ? `.${"0".repeat(precision)}` : ""}p+00`;
  }
  while (mantissa < 1n << 52n) {
    mantissa <<= 1n;
    exponent -= 1;
  }
  exponent += 52;
  // 13 hexadecimal digits follow the leading 1.
  if (precision >= 0 && precision < 13) {
    const dropped = BigInt(52 - 4 * precision);
    const rest = mantissa & ((1n << dropped) - 1n);
    const half = 1n << (dropped - 1n);
    mantissa >>= dropped;
    if (rest > half || (rest === half && mantissa % 2n === 1n)) mantissa += 1n;
    mantissa <<= dropped;
    if (mantissa >= 1n << 53n) {
      mantissa >>= 1n;
      exponent += 1;
    }
  }
  const all = mantissa.toString(16).slice(1);
  const fraction =
    precision < 0 ? all.replace(/0+$/, "") : all.slice(0, precision).padEnd(precision, "0");
  return `0x1${fraction === "" ? "" : `.${fraction}`}p${signed(exponent, 2)}`;
}
