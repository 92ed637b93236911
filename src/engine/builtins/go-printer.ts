import { BuiltinLimit, BuiltinUnsupported } from "./builtin.ts";
import { type FloatVerb, formatFloat } from "./go-float.ts";
import { canBackquote, isPrintable, quote, quoteCharacter } from "./go-quote.ts";
import { checkText, TEXT_MAX } from "./limits.ts";

/** An argument as OPA hands it to fmt; `*big.Int` is for integers beyond 64 bits. */
export type GoValue =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "int64"; readonly value: bigint }
  | { readonly type: "*big.Int"; readonly value: bigint }
  | { readonly type: "float64"; readonly value: number };

/** Flags, width and precision of one directive. */
export interface Directive {
  plus: boolean;
  minus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  /** `%+v` and `%#v`, where the flags mean something else. */
  plusV: boolean;
  sharpV: boolean;
  width: number | undefined;
  precision: number | undefined;
}

/** A directive without flags. */
export function plainDirective(): Directive {
  return {
    plus: false,
    minus: false,
    sharp: false,
    space: false,
    zero: false,
    plusV: false,
    sharpV: false,
    width: undefined,
    precision: undefined,
  };
}

/** The value under the verb, as Go's fmt prints it. */
export function printValue(value: GoValue, verb: string, directive: Directive): string {
  if (verb === "T") return pad(truncate(value.type, directive), directive);
  switch (value.type) {
    case "string":
      return printString(value, verb, directive);
    case "int64":
      return printInteger(value, verb, directive);
    case "float64":
      return printFloat(value, verb, directive);
    case "*big.Int":
      return printBigInteger(value.value, verb, directive);
  }
}

function badVerb(value: GoValue, verb: string, directive: Directive): string {
  return `%!${verb}(${value.type}=${printValue(value, "v", directive)})`;
}

/** Pads to the width, with zeros only on the left. */
function pad(text: string, { width, minus, zero }: Directive): string {
  const missing = (width ?? 0) - codePoints(text);
  if (missing <= 0) return text;
  if (minus) return text + repeat(" ", missing);
  return repeat(zero ? "0" : " ", missing) + text;
}

function codePoints(text: string): number {
  return text.length - (text.match(/[\udc00-\udfff]/g)?.length ?? 0);
}

/** Nothing where `count` is negative. */
function repeat(sign: string, count: number): string {
  if (count > TEXT_MAX) throw new BuiltinLimit(`more than ${TEXT_MAX} characters`);
  return sign.repeat(Math.max(count, 0));
}

function truncate(text: string, { precision }: Directive): string {
  if (precision === undefined || precision >= text.length) return text;
  return Array.from(text).slice(0, precision).join("");
}

function printString(
  argument: GoValue & { type: "string" },
  verb: string,
  directive: Directive,
): string {
  const text = argument.value;
  switch (verb) {
    case "v":
      return directive.sharpV
        ? printQuoted(text, directive)
        : pad(truncate(text, directive), directive);
    case "s":
      return pad(truncate(text, directive), directive);
    case "q":
      return printQuoted(text, directive);
    case "x":
      return printBytes(text, directive);
    case "X":
      return printBytes(text, directive).toUpperCase();
    default:
      return badVerb(argument, verb, directive);
  }
}

function printQuoted(whole: string, directive: Directive): string {
  const text = truncate(whole, directive);
  if (directive.sharp && canBackquote(text)) return pad(`\`${text}\``, directive);
  return pad(quote(text, directive.plus), directive);
}

function printBytes(text: string, directive: Directive): string {
  const { sharp, space, precision } = directive;
  const bytes = Buffer.from(text).subarray(0, precision);
  if (bytes.length === 0) return pad("", directive);
  const pairs = checkText(bytes.toString("hex")).match(/../g)!;
  const prefix = sharp ? "0x" : "";
  return pad(prefix + pairs.join(space ? ` ${prefix}` : ""), directive);
}

const INTEGER_BASES: Readonly<Record<string, number>> = {
  v: 10,
  d: 10,
  b: 2,
  o: 8,
  O: 8,
  x: 16,
  X: 16,
};

function printInteger(
  argument: GoValue & { type: "int64" },
  verb: string,
  directive: Directive,
): string {
  if (verb in INTEGER_BASES) return printInBase(argument.value, verb, directive);
  switch (verb) {
    case "c":
      return pad(characterOf(argument.value), directive);
    case "q":
      return pad(quoteCharacter(characterOf(argument.value), directive.plus), directive);
    case "U":
      return printCodePoint(argument.value, directive);
    default:
      return badVerb(argument, verb, directive);
  }
}

function characterOf(value: bigint): string {
  return value >= 0n && value <= 0x10ffffn && (value < 0xd800n || value > 0xdfffn)
    ? String.fromCodePoint(Number(value))
    : "\ufffd";
}

function printCodePoint(value: bigint, directive: Directive): string {
  const unsigned = BigInt.asUintN(64, value);
  const digits = unsigned.toString(16).toUpperCase();
  const zeros = repeat("0", Math.max(directive.precision ?? 4, 4) - digits.length);
  const character = characterOf(unsigned);
  const isShown =
    directive.sharp && BigInt(character.codePointAt(0)!) === unsigned && isPrintable(character);
  const text = `U+${zeros}${digits}${isShown ? ` '${character}'` : ""}`;
  return pad(text, { ...directive, zero: false });
}

function printInBase(value: bigint, verb: string, directive: Directive): string {
  const base = INTEGER_BASES[verb];
  const { precision, width, plus, space, minus, zero, sharp } = directive;
  const spaces = { ...directive, zero: false };
  if (precision === 0 && value === 0n) return pad("", spaces);
  const negative = value < 0n;
  let digits = (negative ? -value : value).toString(base);
  if (verb === "X") digits = digits.toUpperCase();
  let digitsMin = precision ?? 0;
  if (precision === undefined && zero && !minus && width !== undefined) {
    digitsMin = width - (negative || plus || space ? 1 : 0);
  }
  digits = repeat("0", digitsMin - digits.length) + digits;
  if (sharp && base === 2) digits = `0b${digits}`;
  if (sharp && base === 8 && !digits.startsWith("0")) digits = `0${digits}`;
  if (sharp && base === 16) digits = (verb === "X" ? "0X" : "0x") + digits;
  if (verb === "O") digits = `0o${digits}`;
  return pad(signOf(negative, plus, space) + digits, spaces);
}

function signOf(negative: boolean, plus: boolean, space: boolean): string {
  if (negative) return "-";
  if (plus) return "+";
  return space ? " " : "";
}

/** big.Int formats itself, with rules of its own. */
function printBigInteger(value: bigint, verb: string, directive: Directive): string {
  if (verb === "p" || verb === "w") {
    throw new BuiltinUnsupported(`%${verb} of a big integer prints memory`);
  }
  const base = verb === "s" ? 10 : INTEGER_BASES[verb];
  if (base === undefined) return `%!${verb}(big.Int=${value})`;
  const negative = value < 0n;
  const sign = signOf(negative, directive.plus || directive.plusV, directive.space);
  let digits = (negative ? -value : value).toString(base);
  if (verb === "X") digits = digits.toUpperCase();
  const prefix = bigPrefix(verb, directive.sharp || directive.sharpV);
  digits = repeat("0", (directive.precision ?? 0) - digits.length) + digits;
  const missing = (directive.width ?? 0) - sign.length - prefix.length - digits.length;
  if (missing <= 0) return sign + prefix + digits;
  if (directive.minus) return sign + prefix + digits + repeat(" ", missing);
  if (directive.zero && directive.precision === undefined) {
    return sign + prefix + repeat("0", missing) + digits;
  }
  return repeat(" ", missing) + sign + prefix + digits;
}

function bigPrefix(verb: string, sharp: boolean): string {
  if (verb === "O") return "0o";
  if (!sharp) return "";
  return { b: "0b", o: "0", x: "0x", X: "0X" }[verb] ?? "";
}

const FLOAT_VERBS: Readonly<Record<string, readonly [FloatVerb, number]>> = {
  v: ["g", -1],
  g: ["g", -1],
  G: ["G", -1],
  b: ["b", -1],
  x: ["x", -1],
  X: ["X", -1],
  f: ["f", 6],
  F: ["f", 6],
  e: ["e", 6],
  E: ["E", 6],
};

function printFloat(
  argument: GoValue & { type: "float64" },
  verb: string,
  directive: Directive,
): string {
  const known = FLOAT_VERBS[verb];
  if (known === undefined) return badVerb(argument, verb, directive);
  const [form, defaultPrecision] = known;
  const precision = directive.precision ?? defaultPrecision;
  if (precision > TEXT_MAX) throw new BuiltinLimit(`more than ${TEXT_MAX} characters`);
  let text = formatFloat(argument.value, form, precision);
  const negative = text.startsWith("-");
  if (negative) text = text.slice(1);
  if (directive.sharp && form !== "b") text = withPoint(text, form, precision);
  const sign = signOf(negative, directive.plus, directive.space);
  const { width, zero, minus } = directive;
  // Zeros stand between the sign and the digits.
  if (sign !== "" && zero && !minus && width !== undefined) {
    return sign + repeat("0", width - 1 - text.length) + text;
  }
  return pad(sign + text, directive);
}

/** `#`: a point in any case, and the trailing zeros that `g` would drop. */
function withPoint(text: string, form: FloatVerb, precision: number): string {
  const isHex = form === "x" || form === "X";
  const tailAt = text.search(isHex ? /[pP]/ : /[eE]/);
  const number = tailAt < 0 ? text : text.slice(0, tailAt);
  const tail = tailAt < 0 ? "" : text.slice(tailAt);
  let digits = 0;
  if (form === "g" || form === "G" || form === "x") digits = precision === -1 ? 6 : precision;
  const significant = number.replace(/^[0.]+/, "").replace(".", "");
  digits -= significant.length;
  const hasPoint = number.includes(".");
  if (!hasPoint && number === "0") digits -= 1;
  return number + (hasPoint ? "" : ".") + "0".repeat(Math.max(digits, 0)) + tail;
}
