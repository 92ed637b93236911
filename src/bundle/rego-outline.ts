/** What a Rego module defines, as paths under `data` with `/` between the parts. */
export interface RegoOutline {
  readonly package: string;
  /** Paths of the rules; functions are left out, since they are no documents. */
  readonly rules: ReadonlySet<string>;
}

interface Token {
  readonly kind: "word" | "string" | "mark";
  readonly text: string;
  /** The first of its line, outside of brackets. */
  readonly startsLine: boolean;
  /** Outside of brackets. */
  readonly outside: boolean;
}

// What may stand at the start of a line, or after a `}`, without being the name of a rule.
const KEYWORDS = new Set(
  "as contains default else every false if import in not null package some true with".split(" "),
);

/**
 * Finds the package and the rule heads of a module, of either Rego version, without a parser. Where
 * the text leaves room it names too many rules rather than too few: the outline serves to refuse.
 */
export function outlineRego(text: string): RegoOutline {
  const tokens = tokenize(text);
  const rules = new Set<string>();
  let packagePath = "";
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]!;
    if (!token.outside || token.kind !== "word") continue;
    if (token.startsLine && token.text === "package" && packagePath === "") {
      packagePath = readPath(tokens, index + 1).path.join("/");
    } else if (isHead(token, tokens[index - 1])) {
      const { path, next } = readPath(tokens, index);
      if (tokens[next]?.text !== "(") rules.add([packagePath, ...path].join("/"));
    }
  }
  return { package: packagePath, rules };
}

/** Whether one of the modules gives the document at `path`, or a part of it, a value. */
export function definesDocument(outlines: readonly RegoOutline[], path: string): boolean {
  const within = (rule: string): boolean => rule === path || rule.startsWith(`${path}/`);
  return outlines.some((outline) => outline.rules.values().some(within));
}

function isHead(token: Token, previous: Token | undefined): boolean {
  if (KEYWORDS.has(token.text)) return false;
  if (token.startsLine) return true;
  return previous?.outside === true && ["default", "}", ";"].includes(previous.text);
}

/** Reads `a.b["c"]`; `next` is the token after it. */
function readPath(tokens: readonly Token[], start: number): { path: string[]; next: number } {
  const path = [tokens[start]?.text ?? ""];
  let next = start + 1;
  for (;;) {
    const [first, second, third] = tokens.slice(next, next + 3);
    if (first?.text === "." && second?.kind === "word") {
      path.push(second.text);
      next += 2;
    } else if (first?.text === "[" && second?.kind === "string" && third?.text === "]") {
      path.push(second.text);
      next += 3;
    } else {
      return { path, next };
    }
  }
}

// A comment, a raw string, a string, the start of a template, a word, a line end, or one mark.
const TOKEN = /#[^\n]*|`[^`]*`?|"(?:[^"\\\n]|\\.)*"?|\$["`]|[\p{L}_][\p{L}\p{N}_]*|\n|[^\s]/gu;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const templates: { quote: string; depth: number }[] = [];
  let depth = 0;
  let startsLine = true;
  const push = (kind: Token["kind"], value: string): void => {
    const outside = depth === 0 && templates.length === 0;
    tokens.push({ kind, text: value, startsLine: startsLine && outside, outside });
    startsLine = false;
  };
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const lexeme = match[0];
    const first = lexeme[0]!;
    const template = templates.at(-1);
    if (first === "\n") {
      startsLine = depth === 0;
    } else if (first === "#") {
      // Comments say nothing.
    } else if (lexeme.length === 2 && first === "$") {
      templates.push({ quote: lexeme[1]!, depth });
      TOKEN.lastIndex = afterTemplateText(text, TOKEN.lastIndex, lexeme[1]!);
      depth = closesTemplate(text, TOKEN.lastIndex) ? depth : depth + 1;
      if (closesTemplate(text, TOKEN.lastIndex)) templates.pop();
    } else if (first === '"' || first === "`") {
      push("string", stringValue(lexeme));
    } else if ("([{".includes(first)) {
      push("mark", first);
      depth += 1;
    } else if (")]}".includes(first)) {
      depth = Math.max(0, depth - 1);
      push("mark", first);
      if (template !== undefined && first === "}" && depth === template.depth) {
        TOKEN.lastIndex = afterTemplateText(text, TOKEN.lastIndex, template.quote);
        if (closesTemplate(text, TOKEN.lastIndex)) templates.pop();
        else depth += 1;
      }
    } else {
      push(/[\p{L}_]/u.test(first) ? "word" : "mark", lexeme);
    }
  }
  return tokens;
}

/** Index after the literal part of a template string: past its `{` or its closing quote. */
function afterTemplateText(text: string, start: number, quote: string): number {
  let index = start;
  while (index < text.length && text[index] !== quote && text[index] !== "{") {
    index += text[index] === "\\" ? 2 : 1;
  }
  return Math.min(index + 1, text.length);
}

function closesTemplate(text: string, end: number): boolean {
  return text[end - 1] !== "{";
}

function stringValue(lexeme: string): string {
  if (lexeme[0] === "`") return lexeme.slice(1, -1);
  try {
    return JSON.parse(lexeme);
  } catch {
    // Not a JSON string, so not a legal Rego string either; it can't be the name of a rule.
    return lexeme;
  }
}
