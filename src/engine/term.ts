/**
 * The text of Rego values, as it goes into and comes out of wasm: JSON, with sets written
 * `{"a", "b"}` or `set()`, and object keys of any type.
 */
import { isDecimal } from "./term-decimal.ts";
import { type Term, TermNumber, TermObject, TermSet, termObject, termSet } from "./term-value.ts";

export type { Term };

/** The text is no Rego value, or is nested deeper than terms may be. */
export class TermError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TermError";
  }
}

/** Tells how long the term's text is, part by part, but for what has to be escaped in it. */
export function visitLengths(term: Term, visit: (length: number) => void): void {
  if (typeof term === "string") visit(term.length + '"",'.length);
  else if (term instanceof TermNumber) visit(term.text.length + ",".length);
  else if (term === null || typeof term === "boolean") visit("false,".length);
  else {
    visit("set(),".length);
    for (const part of partsOf(term)) visitLengths(part, visit);
  }
}

function partsOf(term: TermObject | TermSet | readonly Term[]): readonly Term[] {
  if (term instanceof TermObject) return [...term.keys, ...term.values];
  return term instanceof TermSet ? term.items : term;
}

/** Text that `opa_value_parse` reads as this term. */
export function formatTerm(term: Term): string {
  if (typeof term === "string") return formatString(term);
  if (term === null || typeof term === "boolean") return String(term);
  // JSON's digit before the point, which Rego does not insist on, but wasm's parser does.
  if (term instanceof TermNumber) return term.text.replace(/^-?(?=\.)/, "$&0");
  if (term instanceof TermSet) {
    return term.items.length === 0 ? "set()" : `{${term.items.map(formatTerm).join(",")}}`;
  }
  if (term instanceof TermObject) {
    const members = term.keys.map(
      (key, index) => `${formatTerm(key)}:${formatTerm(term.values[index]!)}`,
    );
    return `{${members.join(",")}}`;
  }
  return `[${term.map(formatTerm).join(",")}]`;
}

/** wasm aborts on the escape of a lone surrogate; U+FFFD stands in, as in Go's encoders. */
function formatString(text: string): string {
  return JSON.stringify(text.isWellFormed() ? text : text.toWellFormed());
}

/** Deepest nesting that `parseTerm` reads: bounds recursion in everything that walks a term. */
export const TERM_DEPTH_MAX = 512;

/** Reads what `opa_value_dump` writes. Throws `TermError`. */
export function parseTerm(text: string): Term {
  const reader = new TermReader(text);
  const term = reader.value(0);
  reader.end();
  return term;
}

const NUMBER_TEXT = /[-+0-9.eE]+/y;
const EMPTY_SET = /set\([ \t\r\n]*\)/y;

class TermReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) throw this.#wrong("the end");
  }

  value(depth: number): Term {
    if (depth > TERM_DEPTH_MAX) throw new TermError(`deeper than ${TERM_DEPTH_MAX} levels`);
    this.#space();
    switch (this.#text[this.#at]) {
      case '"':
        return this.#string();
      case "[":
        return this.#array(depth + 1);
      case "{":
        return this.#objectOrSet(depth + 1);
      case "n":
        return this.#word("null", null);
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "s":
        if (this.#match(EMPTY_SET) === "") throw this.#wrong("set()");
        return new TermSet([]);
      default:
        return this.#number();
    }
  }

  #array(depth: number): Term[] {
    this.#at += 1;
    const items: Term[] = [];
    if (this.#skip("]")) return items;
    do items.push(this.value(depth));
    while (this.#skip(","));
    this.#expect("]");
    return items;
  }

  #objectOrSet(depth: number): Term {
    this.#at += 1;
    if (this.#skip("}")) return new TermObject([], []);
    const first = this.value(depth);
    if (this.#skip(":")) return this.#object(first, depth);
    const items = [first];
    while (this.#skip(",")) items.push(this.value(depth));
    this.#expect("}");
    return termSet(items);
  }

  #object(firstKey: Term, depth: number): TermObject {
    const entries: [Term, Term][] = [[firstKey, this.value(depth)]];
    while (this.#skip(",")) {
      const key = this.value(depth);
      this.#expect(":");
      entries.push([key, this.value(depth)]);
    }
    this.#expect("}");
    return termObject(entries);
  }

  #string(): string {
    const start = this.#at;
    let end = start;
    do {
      end = this.#text.indexOf('"', end + 1);
      if (end < 0) throw this.#wrong("a string that ends");
    } while (this.#isEscaped(end));
    this.#at = end + 1;
    const quoted = this.#text.slice(start, end + 1);
    if (!quoted.includes("\\")) return quoted.slice(1, -1);
    try {
      return JSON.parse(quoted);
    } catch (cause) {
      throw new TermError(`character ${start}: expected a string`, { cause });
    }
  }

  #isEscaped(at: number): boolean {
    let before = at - 1;
    while (this.#text[before] === "\\") before -= 1;
    return (at - before) % 2 === 0;
  }

  #number(): TermNumber {
    const text = this.#match(NUMBER_TEXT);
    if (!isDecimal(text)) throw this.#wrong("a value");
    return new TermNumber(text);
  }

  #word<T extends Term>(word: string, term: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#wrong(word);
    this.#at += word.length;
    return term;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const matched = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += matched.length;
    return matched;
  }

  #space(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.#at += 1;
    }
  }

  #skip(sign: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== sign) return false;
    this.#at += 1;
    return true;
  }

  #expect(sign: string): void {
    if (!this.#skip(sign)) throw this.#wrong(sign);
  }

  #wrong(expected: string): TermError {
    return new TermError(`character ${this.#at}: expected ${expected}`);
  }
}
