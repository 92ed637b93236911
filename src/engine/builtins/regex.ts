import { RE2JS } from "re2js";
import { systemClock } from "../../base/clock.ts";
import type { Term } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily, type TakeSteps } from "./builtin.ts";
import { checkItems, checkText } from "./limits.ts";
import { asInt, asString } from "./operands.ts";
import { compilePattern } from "./regex-cache.ts";

/** Regular expressions of RE2, apart from those that wasm has itself. */
export const regexBuiltins: BuiltinFamily = {
  "regex.replace": ([text, pattern, template], { takeSteps }) =>
    replaceAll(searchIn(text, pattern, takeSteps), asString(template)),
  "regex.split": ([pattern, text], { takeSteps }) => split(searchIn(text, pattern, takeSteps)),
  "regex.find_n": ([pattern, text, n], { takeSteps }) =>
    findN(searchIn(text, pattern, takeSteps), asInt(n)),
  "regex.template_match": ([template, text, open, close], { takeSteps }) => {
    const parts = [template, open, close].map(asString);
    const pattern = patternOfTemplate(parts as [string, string, string], takeSteps);
    return matches(searchIn(text, pattern, takeSteps));
  },
};

/** A text, a pattern to look for, and what pays for it. */
interface Search {
  readonly text: string;
  readonly pattern: RE2JS;
  readonly takeSteps: TakeSteps;
}

/** Steps for an instruction at a character: some twenty nanoseconds. */
const INSTRUCTION_STEPS = 2;

/** A search may look at each instruction at each character. */
function searchIn(text: Term | undefined, pattern: Term | undefined, takeSteps: TakeSteps): Search {
  const search = {
    text: asString(text),
    pattern: compilePattern(asString(pattern), takeSteps),
    takeSteps,
  };
  takeSteps(INSTRUCTION_STEPS * search.pattern.programSize() * search.text.length);
  return search;
}

/** Steps for a match, however short: some are a microsecond apart. */
const MATCH_STEPS = 50;

/** Least steps for a character that is looked at once more. */
const SCANNED_STEPS = 12;
const STEPS_PER_MS = 100_000;

/** Start and end of the whole match, then of each group, -1 where a group took no part. */
type Match = readonly number[];

/**
 * Matches one after the other as Go's regexp finds them: an empty match right after another match
 * does not count.
 */
function* matchesOf({ pattern, text, takeSteps }: Search): Generator<Match, void> {
  const matcher = pattern.matcher(text);
  const groups = pattern.groupCount();
  let previousEnd = -1;
  let at = 0;
  const size = pattern.programSize();
  const find = (): boolean => {
    const startMs = systemClock.monotonicMs();
    const isFound = matcher.find(at);
    // A match may be looked for up to the end of the text (`a*b|a`), or hardly behind itself (`\s*,\s*`): the
    // time tells, of which no more counts than looking up to there takes, since machines stand still, too.
    const taken = STEPS_PER_MS * (systemClock.monotonicMs() - startMs);
    const most = Math.max(SCANNED_STEPS, INSTRUCTION_STEPS * size) * (text.length - at);
    takeSteps(MATCH_STEPS + Math.ceil(Math.min(taken, most)));
    return isFound;
  };
  while (at <= text.length && find()) {
    const start = matcher.start();
    const end = matcher.end();
    // Groups are found by another look at the match, which carries all of them along.
    takeSteps(groups * size * (end - start));
    const isAccepted = end !== at || start !== previousEnd;
    at = end === at ? at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) : end;
    previousEnd = end;
    if (!isAccepted) continue;
    const match = [start, end];
    for (let group = 1; group <= groups; group += 1) {
      match.push(matcher.start(group), matcher.end(group));
    }
    yield match;
  }
}

function matches({ pattern, text }: Search): boolean {
  return pattern.test(text);
}

function replaceAll(search: Search, template: string): string {
  const { text, pattern } = search;
  const pieces = templatePieces(pattern, template);
  let replaced = "";
  let copied = 0;
  for (const match of matchesOf(search)) {
    replaced += text.slice(copied, match[0]);
    for (const piece of pieces) {
      replaced +=
        typeof piece === "string" ? piece : text.slice(match[piece * 2] ?? 0, match[piece * 2 + 1]);
    }
    checkText(replaced);
    copied = match[1]!;
  }
  return checkText(replaced + text.slice(copied));
}

const REFERENCE = /\$(?:\$|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu;

/** Text and group numbers of a template; groups that don't exist stand for nothing. */
function templatePieces(pattern: RE2JS, template: string): (string | number)[] {
  const pieces: (string | number)[] = [];
  let at = 0;
  for (const reference of template.matchAll(REFERENCE)) {
    pieces.push(template.slice(at, reference.index));
    at = reference.index + reference[0].length;
    const name = reference[1] ?? reference[2];
    if (name === undefined) pieces.push("$");
    else {
      const group = groupOf(pattern, name);
      if (group !== undefined) pieces.push(group);
    }
  }
  pieces.push(template.slice(at));
  return pieces;
}

function groupOf(pattern: RE2JS, name: string): number | undefined {
  const isNumber = /^(?:0|[1-9][0-9]{0,8})$/.test(name);
  if (!isNumber) return Object.entries(pattern.namedGroups()).find(([key]) => key === name)?.[1];
  return Number(name) <= pattern.groupCount() ? Number(name) : undefined;
}

function split(search: Search): Term {
  const { text, pattern } = search;
  if (pattern.pattern() !== "" && text === "") return [""];
  const parts: string[] = [];
  let start = 0;
  let end = 0;
  for (const match of matchesOf(search)) {
    end = match[0]!;
    if (match[1] !== 0) parts.push(text.slice(start, end));
    start = match[1]!;
    checkItems(parts.length);
  }
  if (end !== text.length) parts.push(text.slice(start));
  return parts;
}

function findN(search: Search, n: number): Term {
  const found: string[] = [];
  if (n === 0) return found;
  for (const [start, end] of matchesOf(search)) {
    found.push(search.text.slice(start, end));
    checkItems(found.length);
    if (found.length === n) break;
  }
  return found;
}

/** A pattern out of text with patterns between delimiters, which may be nested. */
function patternOfTemplate(
  [template, open, close]: readonly [string, string, string],
  takeSteps: TakeSteps,
): string {
  if (Buffer.byteLength(open) !== 1 || Buffer.byteLength(close) !== 1) {
    throw new BuiltinError("a delimiter is one ASCII character");
  }
  let pattern = "^";
  let literalStart = 0;
  let patternStart = 0;
  let level = 0;
  for (let at = 0; at < template.length; at += 1) {
    if (template[at] === open) {
      level += 1;
      if (level === 1) patternStart = at + 1;
    } else if (template[at] === close) {
      level -= 1;
      if (level < 0) break;
      if (level === 0) {
        const part = template.slice(patternStart, at);
        compilePattern(`^${part}$`, takeSteps);
        pattern += `${RE2JS.quote(template.slice(literalStart, patternStart - 1))}(${part})`;
        literalStart = at + 1;
      }
    }
  }
  if (level !== 0) throw new BuiltinError("unbalanced delimiters");
  return `${pattern}${RE2JS.quote(template.slice(literalStart))}$`;
}
