const REPEAT = /\{([0-9]{1,9})(?:(,)([0-9]{0,9}))?\}/y;
const NAMED_CLASS = /\[:[^\]]*:\]/y;
/** What the operators `*`, `+`, `?`, `|` and a group add to what they are for, at most. */
const OPERATOR_SIZE = 3;

/** A group, or the whole: how large it is without its last part, to which an operator may apply. */
interface Frame {
  before: number;
  last: number;
}

/**
 * At least as many instructions as the pattern is compiled to, told from its text alone: compiling takes a
 * microsecond for each, and 4,000 characters can ask for a million.
 */
export function programSizeMax(pattern: string): number {
  const frames: Frame[] = [newFrame()];
  for (let at = 0; at < pattern.length; ) {
    const frame = frames.at(-1)!;
    if (pattern.startsWith("\\Q", at)) {
      const close = pattern.indexOf("\\E", at);
      const end = close < 0 ? pattern.length : close;
      for (let literal = at + 2; literal < end; literal += 1) add(frame, 1);
      at = end + 2;
      continue;
    }
    const repeat = repeatAt(pattern, at);
    const sign = pattern[at]!;
    if (repeat !== undefined) {
      frame.last = (frame.last + OPERATOR_SIZE) * repeat.times;
      at += repeat.length;
      continue;
    }
    if (sign === "(") frames.push(newFrame());
    else if (sign === ")" && frames.length > 1) {
      frames.pop();
      add(frames.at(-1)!, sizeOf(frame));
    } else if ("*+?|".includes(sign)) frame.last += OPERATOR_SIZE;
    else add(frame, 1);
    at = sign === "[" ? classEnd(pattern, at) : at + lengthAt(pattern, at);
  }
  return frames.reduce((sum, frame) => sum + sizeOf(frame), 0);
}

function newFrame(): Frame {
  return { before: 0, last: 0 };
}

function sizeOf({ before, last }: Frame): number {
  return before + last + OPERATOR_SIZE;
}

function add(frame: Frame, size: number): void {
  frame.before += frame.last;
  frame.last = size;
}

function repeatAt(pattern: string, at: number): { times: number; length: number } | undefined {
  if (pattern[at] !== "{") return undefined;
  REPEAT.lastIndex = at;
  const match = REPEAT.exec(pattern);
  if (match === null) return undefined;
  const [text, least, comma, most] = match;
  return {
    times: Math.max(Number(least) + Number(comma !== undefined), Number(most ?? 0)),
    length: text.length,
  };
}

/** Of a character, an escape such as `\d`, or one with braces. */
function lengthAt(pattern: string, at: number): number {
  if (pattern[at] !== "\\") return 1;
  const hasBraces = /[xpP]/.test(pattern[at + 1] ?? "") && pattern[at + 2] === "{";
  const close = hasBraces ? pattern.indexOf("}", at) : -1;
  return close < 0 ? 2 : close + 1 - at;
}

/** Where a class such as `[^]a[:alpha:]]` is over. */
function classEnd(pattern: string, start: number): number {
  let at = start + 1;
  if (pattern[at] === "^") at += 1;
  if (pattern[at] === "]") at += 1;
  while (at < pattern.length && pattern[at] !== "]") {
    NAMED_CLASS.lastIndex = at;
    const named = NAMED_CLASS.exec(pattern)?.[0].length;
    at += named ?? lengthAt(pattern, at);
  }
  return at + 1;
}
