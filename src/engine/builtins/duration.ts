import { BuiltinError } from "./builtin.ts";
import { formatFloat } from "./go-float.ts";

const NANOSECONDS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  // Micro sign and Greek mu.
  ["\u00b5s", 1_000n],
  ["\u03bcs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);

/** Units that OPA adds to Go's, in hours. */
const LONG_UNITS: ReadonlyMap<string, number> = new Map([
  ["d", 24],
  ["w", 7 * 24],
  ["y", 365 * 24],
]);

const LIMIT = 2n ** 63n;
const LIMIT_DIGITS = 19;
const EXTENDED = /^[+-]?(?:[0-9.]+(?:ms|us|\u00b5s|ns|[a-z]))+$/;
const EXTENDED_SEGMENT = /([0-9.]+)(ms|us|\u00b5s|ns|[a-z])/g;

/** Nanoseconds of a duration such as `1h30m`, with OPA's `d`, `w` and `y`. */
export function parseDuration(text: string): bigint {
  return parseGoDuration(/[dwy]/.test(text) ? inHours(text) : text);
}

/** Rewrites long units as hours, by way of float64 as OPA does. */
function inHours(text: string): string {
  if (!EXTENDED.test(text)) throw invalid();
  return text.replace(EXTENDED_SEGMENT, (segment, digits: string, unit: string) => {
    const hours = LONG_UNITS.get(unit);
    if (hours === undefined) return segment;
    const amount = Number(digits);
    if (!Number.isFinite(amount)) throw invalid();
    return `${formatFloat(amount * hours, "f", -1)}h`;
  });
}

const SEGMENT = /([0-9]*)(?:\.([0-9]*))?([^0-9.]+)/y;

/** Go's time.ParseDuration. */
function parseGoDuration(text: string): bigint {
  const unsigned = text.replace(/^[+-]/, "");
  if (unsigned === "0") return 0n;
  if (unsigned === "") throw invalid();
  let total = 0n;
  SEGMENT.lastIndex = 0;
  while (SEGMENT.lastIndex < unsigned.length) {
    const match = SEGMENT.exec(unsigned);
    if (match === null) throw invalid();
    total += segmentNanoseconds(match[1]!, match[2] ?? "", match[3]!);
    if (total > LIMIT) throw invalid();
  }
  if (text.startsWith("-")) return -total;
  if (total === LIMIT) throw invalid();
  return total;
}

function segmentNanoseconds(whole: string, fraction: string, unitName: string): bigint {
  const unit = NANOSECONDS.get(unitName);
  if (unit === undefined || whole + fraction === "") throw invalid();
  const significant = whole.replace(/^0+/, "");
  if (significant.length > LIMIT_DIGITS) throw invalid();
  const value = BigInt(significant) * unit;
  if (value > LIMIT) throw invalid();
  const { digits, scale } = leadingFraction(fraction);
  if (digits === 0n) return value;
  // Go computes the fraction in float64, and so must we.
  return value + BigInt(Math.trunc(Number(digits) * (Number(unit) / scale)));
}

/** As many digits of the fraction as 63 bits hold. */
function leadingFraction(fraction: string): { digits: bigint; scale: number } {
  let digits = 0n;
  let scale = 1;
  for (const digit of fraction) {
    if (digits > (LIMIT - 1n) / 10n) break;
    const longer = digits * 10n + BigInt(digit);
    if (longer > LIMIT) break;
    digits = longer;
    scale *= 10;
  }
  return { digits, scale };
}

function invalid(): BuiltinError {
  return new BuiltinError("invalid duration");
}
