import { BuiltinError } from "./builtin.ts";
import { daysFromCivil, daysInMonth, secondsFromCivil } from "./civil-time.ts";
import { type Layout, MONTHS, WEEKDAYS } from "./go-layout.ts";

const SHORT_MONTHS = MONTHS.map((name) => name.slice(0, 3));
const SHORT_WEEKDAYS = WEEKDAYS.map((name) => name.slice(0, 3));

/** Nanoseconds since the epoch of a text, read as Go's time.Parse reads it. */
export function parseTime(layout: Layout, text: string): bigint {
  return new TimeReader(layout, text).read();
}

/** Walks layout and text together, as parse of Go's time package does. */
class TimeReader {
  readonly #layout: Layout;
  #text: string;
  #year = 0;
  #month = -1;
  #day = -1;
  #dayOfYear = -1;
  #hour = 0;
  #minute = 0;
  #second = 0;
  #nanosecond = 0;
  #isAm = false;
  #isPm = false;
  #isUtc = false;
  /** Seconds east of UTC; -1 is none, as in Go, where an offset of one second west is lost. */
  #offset = -1;

  constructor(layout: Layout, text: string) {
    this.#layout = layout;
    this.#text = text;
  }

  read(): bigint {
    this.#layout.parts.forEach(({ literal, field }, index) => {
      this.#skip(literal);
      this.#field(field, this.#layout.parts[index + 1]?.field);
    });
    this.#skip(this.#layout.rest);
    if (this.#text !== "") throw wrong("text after the end");
    if (this.#isPm && this.#hour < 12) this.#hour += 12;
    else if (this.#isAm && this.#hour === 12) this.#hour = 0;
    this.#settleDate();
    const seconds = secondsFromCivil({
      year: this.#year,
      month: this.#month,
      day: this.#day,
      hour: this.#hour,
      minute: this.#minute,
      second: this.#second,
      nanosecond: 0,
    });
    const offset = this.#isUtc || this.#offset === -1 ? 0 : this.#offset;
    return BigInt(seconds - offset) * 1_000_000_000n + BigInt(this.#nanosecond);
  }

  /** Runs of spaces match runs of spaces. */
  #skip(literal: string): void {
    let rest = literal;
    while (rest !== "") {
      if (rest[0] === " ") {
        if (this.#text !== "" && this.#text[0] !== " ") throw wrong("space");
        rest = rest.replace(/^ +/, "");
        this.#text = this.#text.replace(/^ +/, "");
      } else {
        const space = rest.indexOf(" ");
        const word = space < 0 ? rest : rest.slice(0, space);
        if (!this.#text.startsWith(word)) throw wrong(word);
        this.#text = this.#text.slice(word.length);
        rest = rest.slice(word.length);
      }
    }
  }

  #field(field: string, next: string | undefined): void {
    switch (field) {
      case "06":
        this.#shortYear();
        break;
      case "2006":
        if (!/^[0-9]/.test(this.#text)) throw wrong("year");
        this.#year = atoi(this.#take(4));
        break;
      case "Jan":
        this.#month = this.#name(SHORT_MONTHS) + 1;
        break;
      case "January":
        this.#month = this.#name(MONTHS) + 1;
        break;
      case "1":
      case "01":
        this.#month = this.#inRange(this.#number(field === "01"), 1, 12);
        break;
      case "Mon":
        this.#name(SHORT_WEEKDAYS);
        break;
      case "Monday":
        this.#name(WEEKDAYS);
        break;
      case "2":
      case "_2":
      case "02":
        if (field === "_2" && this.#text[0] === " ") this.#text = this.#text.slice(1);
        this.#day = this.#number(field === "02");
        break;
      case "__2":
      case "002":
        this.#readDayOfYear(field === "002");
        break;
      default:
        this.#clockField(field, next);
    }
  }

  #clockField(field: string, next: string | undefined): void {
    switch (field) {
      case "15":
        this.#hour = this.#inRange(this.#number(false), 0, 23);
        break;
      case "3":
      case "03":
        this.#hour = this.#inRange(this.#number(field === "03"), 0, 12);
        break;
      case "4":
      case "04":
        this.#minute = this.#inRange(this.#number(field === "04"), 0, 59);
        break;
      case "5":
      case "05":
        this.#second = this.#inRange(this.#number(field === "05"), 0, 59);
        this.#unannouncedFraction(next);
        break;
      case "PM":
      case "pm":
        this.#readHalf(field);
        break;
      case "MST":
        this.#readAbbreviation();
        break;
      default:
        if (field[0] === "." || field[0] === ",") this.#fraction(field);
        else this.#readOffset(field);
    }
  }

  #take(count: number): string {
    if (this.#text.length < count) throw wrong("more text");
    const taken = this.#text.slice(0, count);
    this.#text = this.#text.slice(count);
    return taken;
  }

  #number(isFixed: boolean): number {
    const digits = /^[0-9]{1,2}/.exec(this.#text)?.[0] ?? "";
    if (digits === "" || (isFixed && digits.length < 2)) throw wrong("digits");
    this.#text = this.#text.slice(digits.length);
    return Number(digits);
  }

  #inRange(value: number, min: number, max: number): number {
    if (value < min || value > max) throw wrong("a number in range");
    return value;
  }

  #name(names: readonly string[]): number {
    const index = names.findIndex(
      (name) => this.#text.slice(0, name.length).toLowerCase() === name.toLowerCase(),
    );
    if (index < 0) throw wrong("name");
    this.#text = this.#text.slice(names[index]!.length);
    return index;
  }

  #shortYear(): void {
    const year = atoi(this.#take(2));
    this.#year = year >= 69 ? year + 1900 : year + 2000;
  }

  #readDayOfYear(isFixed: boolean): void {
    if (!isFixed) this.#text = this.#text.replace(/^ {1,2}/, "");
    const digits = /^[0-9]{1,3}/.exec(this.#text)?.[0] ?? "";
    if (digits === "" || (isFixed && digits.length < 3)) throw wrong("day of the year");
    this.#text = this.#text.slice(digits.length);
    this.#dayOfYear = Number(digits);
  }

  /** Seconds may have a fraction although the layout has none. */
  #unannouncedFraction(next: string | undefined): void {
    if (next?.[0] !== "." && next?.[0] !== ",") this.#optionalFraction();
  }

  #fraction(field: string): void {
    if (field[1] === "0") this.#nanosecond = nanoseconds(this.#take(field.length));
    else this.#optionalFraction();
  }

  #optionalFraction(): void {
    const fraction = /^[.,][0-9]+/.exec(this.#text)?.[0];
    if (fraction !== undefined) this.#nanosecond = nanoseconds(this.#take(fraction.length));
  }

  #readHalf(field: "PM" | "pm"): void {
    const half = this.#take(2);
    if (half === field) this.#isPm = true;
    else if (half === (field === "PM" ? "AM" : "am")) this.#isAm = true;
    else throw wrong(field);
  }

  /** Abbreviations are only checked for their form: without a zone of their own they mean UTC. */
  #readAbbreviation(): void {
    if (this.#text.startsWith("UTC")) {
      this.#text = this.#text.slice(3);
      this.#isUtc = true;
      return;
    }
    const length = abbreviationLength(this.#text);
    if (length === 0) throw wrong("time zone");
    this.#text = this.#text.slice(length);
  }

  #readOffset(field: string): void {
    if (field.startsWith("Z") && this.#text.startsWith("Z")) {
      this.#text = this.#text.slice(1);
      this.#isUtc = true;
      return;
    }
    const colon = field.includes(":") ? ":" : "";
    const pairs = field.replace(/[^0-9]/g, "").length / 2;
    const pattern = new RegExp(`^([+-])${Array(pairs).fill("([0-9]{2})").join(colon)}`);
    const match = pattern.exec(this.#text);
    if (match === null) throw wrong("offset");
    this.#text = this.#text.slice(match[0].length);
    const hours = this.#inRange(Number(match[2]), 0, 24);
    const minutes = this.#inRange(Number(match[3] ?? 0), 0, 60);
    const seconds = this.#inRange(Number(match[4] ?? 0), 0, 60);
    const offset = (hours * 60 + minutes) * 60 + seconds;
    this.#offset = match[1] === "-" ? -offset : offset;
  }

  /** Brings day of the year, month and day together, or fails. */
  #settleDate(): void {
    if (this.#dayOfYear >= 0) {
      const { month, day } = this.#dateOfDayOfYear();
      if (this.#month >= 0 && this.#month !== month)
        throw wrong("the month of the day of the year");
      if (this.#day >= 0 && this.#day !== day) throw wrong("the day of the day of the year");
      this.#month = month;
      this.#day = day;
    }
    if (this.#month < 0) this.#month = 1;
    if (this.#day < 0) this.#day = 1;
    this.#inRange(this.#day, 1, daysInMonth(this.#year, this.#month));
  }

  #dateOfDayOfYear(): { month: number; day: number } {
    this.#inRange(this.#dayOfYear, 1, daysInMonth(this.#year, 2) === 29 ? 366 : 365);
    const start = daysFromCivil(this.#year, 1, 1);
    let month = 12;
    const target = start + this.#dayOfYear - 1;
    while (daysFromCivil(this.#year, month, 1) > target) month -= 1;
    return { month, day: target - daysFromCivil(this.#year, month, 1) + 1 };
  }
}

function atoi(text: string): number {
  if (!/^[+-]?[0-9]*$/.test(text)) throw wrong("number");
  return Number(text.replace(/^[+-]$/, "0"));
}

/** `.5` → 500,000,000; digits beyond the ninth are dropped. Go's atoi allows a sign. */
function nanoseconds(fraction: string): number {
  if (!/^[.,][+-]?[0-9]*$/.test(fraction)) throw wrong("fraction");
  const digits = fraction.slice(1, 10);
  const value = atoi(digits);
  if (value < 0) throw wrong("positive fraction");
  return value * 10 ** (9 - digits.length);
}

/** Length of what looks like a zone's abbreviation, 0 if nothing does. */
function abbreviationLength(text: string): number {
  if (text.length < 3) return 0;
  if (/^(?:ChST|MeST)/.test(text)) return 4;
  if (text.startsWith("GMT")) return 3 + signedHourLength(text.slice(3));
  if (/^[+-]/.test(text)) return signedHourLength(text);
  const upper = /^[A-Z]{3,6}/.exec(text)?.[0] ?? "";
  if (upper.length === 3) return 3;
  if (upper.length === 4) return upper.endsWith("T") || upper === "WITA" ? 4 : 0;
  return upper.length === 5 && upper.endsWith("T") ? 5 : 0;
}

/** `+03`, at most 23. */
function signedHourLength(text: string): number {
  const match = /^[+-]([0-9]+)/.exec(text);
  return match !== null && BigInt(match[1]!) <= 23n ? match[0].length : 0;
}

function wrong(expected: string): BuiltinError {
  return new BuiltinError(`expected ${expected}`);
}
