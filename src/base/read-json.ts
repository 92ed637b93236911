/** As `JSON.parse` calls it, but for the holder. */
export type JsonReviver = (
  name: string,
  value: unknown,
  context: { readonly source?: string },
) => unknown;

/**
 * What `JSON.parse` should give. V8 14 can take a name that is written with an escape for another:
 * after `{"a":1,"\\":2}`, it reads the second name of `{"a":1,"\n":2}` as a backslash. So in a text
 * with such a name, all names are replaced by ones that need no escape, and put back while it is
 * parsed. Throws what `JSON.parse` does.
 */
export function readJson(text: string, revive?: JsonReviver): unknown {
  if (!text.includes("\\")) return JSON.parse(text, revive);
  // Malformed text ends here, so that below each quote begins or ends a string.
  const value: unknown = JSON.parse(text);
  if (!hasEscapedName(text)) return revive === undefined ? value : JSON.parse(text, revive);
  return JSON.parse(withPlainNames(text), (name, member, context) => {
    const restored = isObject(member) ? withOwnNames(member) : member;
    if (revive === undefined) return restored;
    // Indexes, and the root's name, are no names of the text.
    return revive(name.startsWith(PLAIN) ? ownName(name) : name, restored, context);
  });
}

/** Where a name stands in a text, its quotes included. */
interface NamePlace {
  readonly from: number;
  readonly to: number;
}

function hasEscapedName(text: string): boolean {
  for (const { from, to } of namesOf(text)) {
    if (text.slice(from, to).includes("\\")) return true;
  }
  return false;
}

function withPlainNames(text: string): string {
  const parts: string[] = [];
  let at = 0;
  for (const { from, to } of namesOf(text)) {
    const name = JSON.parse(text.slice(from, to)) as string;
    parts.push(text.slice(at, from), `"${plainName(name)}"`);
    at = to;
  }
  return parts.join("") + text.slice(at);
}

function* namesOf(text: string): Generator<NamePlace> {
  const colon = /[\t\n\r ]*:/y;
  for (let from = text.indexOf('"'); from >= 0; ) {
    const to = endOfString(text, from);
    colon.lastIndex = to;
    if (colon.test(text)) yield { from, to };
    from = text.indexOf('"', to);
  }
}

function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** Begins a plain name, and no index; also keeps objects from sorting it as a number. */
const PLAIN = "x";

function plainName(name: string): string {
  return `${PLAIN}${Buffer.from(name, "utf16le").toString("hex")}`;
}

function ownName(plain: string): string {
  return Buffer.from(plain.slice(PLAIN.length), "hex").toString("utf16le");
}

function withOwnNames(object: object): object {
  return Object.fromEntries(
    Object.entries(object).map(([plain, value]) => [ownName(plain), value]),
  );
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
