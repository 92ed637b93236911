import { type Term, termInteger } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { asString } from "./operands.ts";

/** Semantic versions; a leading `v` is allowed, as in OPA. */
export const semverBuiltins: BuiltinFamily = {
  "semver.is_valid": ([version]) =>
    typeof version === "string" && parseVersion(version) !== undefined,
  "semver.compare": ([a, b]) => termInteger(compareVersions(versionOf(a), versionOf(b))),
};

interface Version {
  readonly numbers: readonly bigint[];
  /** Empty without a pre-release. */
  readonly preRelease: readonly string[];
}

const NUMBER = "(0|[1-9][0-9]*)";
const IDENTIFIERS = "[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*";
const VERSION = new RegExp(
  `^v?${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${IDENTIFIERS}))?(?:\\+${IDENTIFIERS})?$`,
);
const DIGITS = /^[0-9]+$/;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_DIGITS = 19;

function parseVersion(text: string): Version | undefined {
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const texts = match.slice(1, 4);
  // Before they are read: a number of a hundred thousand digits takes milliseconds.
  if (texts.some((text) => text.length > INT64_DIGITS)) return undefined;
  const numbers = texts.map(BigInt);
  const preRelease = match[4]?.split(".") ?? [];
  const hasLeadingZero = (identifier: string): boolean =>
    identifier.length > 1 && identifier.startsWith("0") && DIGITS.test(identifier);
  const isValid = numbers.every((n) => n <= INT64_MAX) && !preRelease.some(hasLeadingZero);
  return isValid ? { numbers, preRelease } : undefined;
}

function versionOf(term: Term | undefined): Version {
  const version = parseVersion(asString(term));
  if (version === undefined) throw new BuiltinError("not a semantic version");
  return version;
}

function compareVersions(a: Version, b: Version): number {
  for (let index = 0; index < 3; index += 1) {
    const order = compare(a.numbers[index]!, b.numbers[index]!);
    if (order !== 0) return order;
  }
  // A pre-release comes before the release.
  const isReleaseA = a.preRelease.length === 0;
  const isReleaseB = b.preRelease.length === 0;
  if (isReleaseA || isReleaseB) return Number(isReleaseA) - Number(isReleaseB);
  const length = Math.min(a.preRelease.length, b.preRelease.length);
  for (let index = 0; index < length; index += 1) {
    const order = compareIdentifiers(a.preRelease[index]!, b.preRelease[index]!);
    if (order !== 0) return order;
  }
  return compare(a.preRelease.length, b.preRelease.length);
}

/** Numbers come before words. */
function compareIdentifiers(a: string, b: string): number {
  const isNumberA = DIGITS.test(a);
  const isNumberB = DIGITS.test(b);
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  return isNumberA ? compare(clamped(a), clamped(b)) : compare(a, b);
}

/** Go reads what exceeds 64 bits as the greatest number of 64 bits. */
function clamped(digits: string): bigint {
  if (digits.length > INT64_DIGITS) return INT64_MAX;
  const value = BigInt(digits);
  return value > INT64_MAX ? INT64_MAX : value;
}

function compare<T extends bigint | number | string>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
