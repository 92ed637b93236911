/** JSON from a request's body, read as OPA's Envoy plugin reads it. */
import { readJson } from "../../base/read-json.ts";
import { NumberText } from "../../decision/number-text.ts";
import type { InputValue } from "../../pipeline/pipeline.ts";
import { JSON_DEPTH_MAX } from "../struct-reader.ts";
import { endOfMatch } from "./end-of-match.ts";
import { malformed } from "./malformed.ts";

/** Of a number; reading and writing its digits takes time that grows with their square. */
const DIGITS_MAX = 1_000;

/** Of so many characters no number has more digits than a double keeps. */
const KEPT_CHARACTERS_MAX = 15;

/** Doubles nearer to zero have fewer digits. */
const NORMAL_MIN = 2 ** -1_022;

/** An input has no room for more. */
const VALUES_MAX = 32_768;

/**
 * The value that a body, or a part of it, says. Numbers are exact. Of a name given twice the last value
 * counts; half a surrogate pair becomes U+FFFD. Objects inherit nothing. With `alike`, a name given
 * twice is refused, and NaN stands for a number that readers may take for different ones: all but whole
 * ones that a double holds, written as such.
 *
 * Throws `PdpError` `invalid-argument`, which shows nothing of the text.
 */
export function parseJsonText(text: string, reading: "any" | "alike" = "any"): InputValue {
  return new JsonReader(text, reading === "alike").read();
}

/**
 * Reads values where they stand, with `readJson` for strings that have escapes. `readJson` with a
 * reviver would do for the whole, but takes four times as long for the worst that a client can send:
 * 0.9 s for a MiB of `{},`, and 0.5 s for one of names with escapes.
 */
class JsonReader {
  readonly #text: string;
  readonly #isAlike: boolean;
  #at = 0;
  #values = 0;

  constructor(text: string, isAlike: boolean) {
    this.#text = text;
    this.#isAlike = isAlike;
  }

  read(): InputValue {
    const value = this.#value(1);
    if (this.#next() !== undefined) throw this.#fault();
    return value;
  }

  #value(depth: number): InputValue {
    this.#values += 1;
    if (this.#values > VALUES_MAX) throw malformed("body", `has more than ${VALUES_MAX} values`);
    switch (this.#next()) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
        return this.#literal("true", true);
      case "f":
        return this.#literal("false", false);
      case "n":
        return this.#literal("null", null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): InputValue {
    this.#enter(depth);
    const object: { [name: string]: InputValue } = Object.create(null);
    if (this.#take("}")) return object;
    do {
      if (this.#next() !== '"') throw this.#fault();
      const name = this.#string();
      if (!this.#take(":")) throw this.#fault();
      if (this.#isAlike && name in object) throw malformed("body", "has a name twice");
      object[name] = this.#value(depth + 1);
    } while (this.#take(","));
    if (!this.#take("}")) throw this.#fault();
    return object;
  }

  #array(depth: number): InputValue {
    this.#enter(depth);
    const items: InputValue[] = [];
    if (this.#take("]")) return items;
    do items.push(this.#value(depth + 1));
    while (this.#take(","));
    if (!this.#take("]")) throw this.#fault();
    return items;
  }

  /** Steps over the bracket. */
  #enter(depth: number): void {
    if (depth > JSON_DEPTH_MAX) throw malformed("body", `is nested deeper than ${JSON_DEPTH_MAX}`);
    this.#at += 1;
  }

  #string(): string {
    const start = this.#at;
    this.#at = endOfMatch(PLAIN_STRING, this.#text, start);
    if (this.#at > start) return this.#text.slice(start + 1, this.#at - 1);
    this.#at = endOfString(this.#text, start);
    if (this.#at > this.#text.length) throw this.#fault();
    try {
      return (readJson(this.#text.slice(start, this.#at)) as string).toWellFormed();
    } catch {
      // Its text shows what stands around the place.
      throw malformed("body", `has a malformed string at character ${start}`);
    }
  }

  #literal<Value>(name: string, value: Value): Value {
    if (!this.#text.startsWith(name, this.#at)) throw this.#fault();
    this.#at += name.length;
    return value;
  }

  #number(): number | bigint | NumberText {
    const end = endOfMatch(NUMBER, this.#text, this.#at);
    if (end === this.#at) throw this.#fault();
    const source = this.#text.slice(this.#at, end);
    this.#at = end;
    if (!this.#isAlike) return exact(source);
    const value = Number(source);
    return PLAIN_INTEGER.test(source) && Number.isSafeInteger(value) ? value : Number.NaN;
  }

  /** Steps over the character, if it is the next. */
  #take(character: string): boolean {
    if (this.#next() !== character) return false;
    this.#at += 1;
    return true;
  }

  /** The next character that is no space; `undefined` at the end. */
  #next(): string | undefined {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at += 1;
    return this.#text[this.#at];
  }

  #fault(): Error {
    const isEnd = this.#at >= this.#text.length;
    const why = isEnd ? "is JSON that ends too early" : `is not JSON at character ${this.#at}`;
    return malformed("body", why);
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: strings have none
const PLAIN_STRING = /"[^"\\\u0000-\u001f]*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[Ee][+-]?\d+)?/y;
const INTEGER = /^-?\d+$/;
const PARTS = /^(-?\d+)(?:\.(\d+))?(?:[Ee](.+))?$/;
const PLAIN_INTEGER = /^(?:0|-?[1-9]\d*)$/;
const ZERO = /^-?0(?:\.0+)?(?:[Ee]|$)/;

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Behind the quote that ends the string; behind the text if none does. */
function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function exact(source: string): number | bigint | NumberText {
  const value = Number(source);
  const size = Math.abs(value);
  const isKept = source.length <= KEPT_CHARACTERS_MAX && size >= NORMAL_MIN && size < Infinity;
  if (isKept || (value === 0 && ZERO.test(source))) return value;
  if (source.length > DIGITS_MAX) {
    throw malformed("body", `has a number of more than ${DIGITS_MAX} digits`);
  }
  if (INTEGER.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source);
  // Policies that compute with it could take as much time as its exponent says.
  if (value === 0 || size === Infinity) {
    throw malformed("body", "has a number beyond the range of a double");
  }
  const whole = wholeNumber(source);
  if (whole === undefined) return new NumberText(source);
  return Number.isSafeInteger(value) ? value : whole;
}

/** `undefined` for a number with a fraction, which `3.00` is to the guest's `bits.and`, and not to OPA's. */
function wholeNumber(source: string): bigint | undefined {
  const [, before = "", after = "", exponent = "0"] = PARTS.exec(source)!;
  const digits = before + after;
  const zeros = Number(exponent) - after.length;
  if (zeros >= 0) return BigInt(digits + "0".repeat(zeros));
  return /^0*$/.test(digits.slice(zeros)) ? BigInt(digits.slice(0, zeros)) : undefined;
}
