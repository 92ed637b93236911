import { type Term, TermNumber } from "../term-value.ts";
import { type BuiltinFamily, BuiltinLimit } from "./builtin.ts";
import { type Directive, type GoValue, plainDirective, printValue } from "./go-printer.ts";
import { checkText, DIGITS_MAX } from "./limits.ts";
import { asArray, asString, int64OfText } from "./operands.ts";
import { printTerm } from "./rego-text.ts";

/** Text from a format of Go's fmt. */
export const sprintfBuiltins: BuiltinFamily = {
  sprintf: ([format, args]) => new Formatter(asString(format), asArray(args)).print(),
};

const WIDTH_MAX = 1_000_000n;
const INTEGER_TEXT = /^-?[0-9]+$/;

/** What OPA makes of a term for Go's fmt: numbers by how they are written, the rest as text. */
function goValueOf(term: Term): GoValue {
  if (typeof term === "string") return { type: "string", value: term };
  if (!(term instanceof TermNumber)) return { type: "string", value: printTerm(term) };
  const { text } = term;
  if (!INTEGER_TEXT.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? { type: "float64", value } : { type: "string", value: text };
  }
  if (text.length > DIGITS_MAX) throw new BuiltinLimit(`an integer of over ${DIGITS_MAX} digits`);
  const small = int64OfText(text);
  return small === undefined
    ? { type: "*big.Int", value: BigInt(text) }
    : { type: "int64", value: small };
}

/** One call: walks the format as fmt's doPrintf does, step by step. */
class Formatter {
  readonly #format: string;
  readonly #args: readonly GoValue[];
  readonly #lastBracket: number;
  #at = 0;
  #arg = 0;
  /** The format has used an explicit argument index. */
  #reordered = false;
  #isGoodIndex = true;
  #afterIndex = false;
  #output = "";

  constructor(format: string, args: readonly Term[]) {
    this.#format = format;
    this.#args = args.map(goValueOf);
    this.#lastBracket = format.lastIndexOf("]");
  }

  print(): string {
    while (this.#at < this.#format.length) {
      const percent = this.#format.indexOf("%", this.#at);
      const end = percent < 0 ? this.#format.length : percent;
      this.#write(this.#format.slice(this.#at, end));
      this.#at = end;
      if (percent >= 0) this.#directive();
    }
    if (!this.#reordered && this.#arg < this.#args.length) this.#extra();
    return this.#output;
  }

  #write(text: string): void {
    this.#output = checkText(this.#output + text);
  }

  #directive(): void {
    this.#at += 1;
    this.#isGoodIndex = true;
    this.#afterIndex = false;
    const directive = plainDirective();
    this.#flags(directive);
    this.#index();
    this.#width(directive);
    this.#precision(directive);
    if (!this.#afterIndex) this.#index();
    const codePoint = this.#format.codePointAt(this.#at);
    if (codePoint === undefined) {
      this.#write("%!(NOVERB)");
      return;
    }
    const verb = String.fromCodePoint(codePoint);
    this.#at += verb.length;
    this.#verb(verb, directive);
  }

  #flags(directive: Directive): void {
    for (;;) {
      switch (this.#format[this.#at]) {
        case "#":
          directive.sharp = true;
          break;
        case "0":
          directive.zero = true;
          break;
        case "+":
          directive.plus = true;
          break;
        case "-":
          directive.minus = true;
          break;
        case " ":
          directive.space = true;
          break;
        default:
          return;
      }
      this.#at += 1;
    }
  }

  #width(directive: Directive): void {
    if (this.#format[this.#at] === "*") {
      this.#at += 1;
      const width = this.#integerArgument();
      if (width === undefined) this.#write("%!(BADWIDTH)");
      else if (width < 0) {
        directive.minus = true;
        directive.zero = false;
      }
      directive.width = width === undefined ? undefined : Math.abs(width);
      this.#afterIndex = false;
      return;
    }
    directive.width = this.#number();
    if (this.#afterIndex && directive.width !== undefined) this.#isGoodIndex = false;
  }

  #precision(directive: Directive): void {
    if (this.#format[this.#at] !== "." || this.#at + 1 >= this.#format.length) return;
    this.#at += 1;
    if (this.#afterIndex) this.#isGoodIndex = false;
    this.#index();
    if (this.#format[this.#at] !== "*") {
      directive.precision = this.#number() ?? 0;
      return;
    }
    this.#at += 1;
    const precision = this.#integerArgument();
    if (precision === undefined || precision < 0) this.#write("%!(BADPREC)");
    else directive.precision = precision;
    this.#afterIndex = false;
  }

  /** `[n]`: the next argument is the n-th. */
  #index(): void {
    this.#afterIndex = false;
    if (this.#format[this.#at] !== "[") return;
    this.#reordered = true;
    const start = this.#at + 1;
    const close = start > this.#lastBracket ? -1 : this.#format.indexOf("]", start);
    // Go's fmt looks for no bracket in less than three bytes: of "[]" at the end, "]" is the verb.
    if (close < 0 || (close === start && start === this.#format.length - 1)) {
      this.#isGoodIndex = false;
      this.#at = start;
      return;
    }
    this.#at = close + 1;
    const digits = this.#format.slice(start, close);
    const isNumber = /^[0-9]{1,7}$/.test(digits) && isWithinFmtLimit(digits);
    const index = Number(digits) - 1;
    if (isNumber && index >= 0 && index < this.#args.length) {
      this.#arg = index;
      this.#afterIndex = true;
      return;
    }
    this.#isGoodIndex = false;
    this.#afterIndex = isNumber;
  }

  /** Digits; a number that fmt finds too large swallows the rest of the format. */
  #number(): number | undefined {
    const start = this.#at;
    while (isDigit(this.#format.charCodeAt(this.#at))) this.#at += 1;
    const digits = this.#format.slice(start, this.#at);
    if (digits === "") return undefined;
    if (isWithinFmtLimit(digits)) return Number(digits);
    this.#at = this.#format.length;
    return undefined;
  }

  /** The next argument as a width or precision; `undefined` if it can't be one. */
  #integerArgument(): number | undefined {
    const argument = this.#args[this.#arg];
    if (argument === undefined) return undefined;
    this.#arg += 1;
    if (argument.type !== "int64") return undefined;
    const isSmall = argument.value <= WIDTH_MAX && argument.value >= -WIDTH_MAX;
    return isSmall ? Number(argument.value) : undefined;
  }

  #verb(verb: string, directive: Directive): void {
    if (verb === "%") {
      this.#write("%");
      return;
    }
    if (!this.#isGoodIndex) {
      this.#write(`%!${verb}(BADINDEX)`);
      return;
    }
    const argument = this.#args[this.#arg];
    if (argument === undefined) {
      this.#write(`%!${verb}(MISSING)`);
      return;
    }
    if (verb === "v" || verb === "w") {
      directive.sharpV = directive.sharp;
      directive.sharp = false;
      directive.plusV = directive.plus;
      directive.plus = false;
    }
    this.#write(printValue(argument, verb, directive));
    this.#arg += 1;
  }

  #extra(): void {
    const rest = this.#args
      .slice(this.#arg)
      .map((argument) => `${argument.type}=${printValue(argument, "v", plainDirective())}`);
    this.#write(`%!(EXTRA ${rest.join(", ")})`);
  }
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

/** fmt stops reading digits once the number before the last one exceeds a million. */
function isWithinFmtLimit(digits: string): boolean {
  return digits.length < 2 || BigInt(digits.slice(0, -1)) <= WIDTH_MAX;
}
