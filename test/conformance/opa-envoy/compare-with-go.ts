import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "vitest";
import { NumberText } from "../../../src/decision/number-text.ts";
import { readDecimal } from "../../../src/engine/term-decimal.ts";
import { parseMediaType } from "../../../src/grpc/ext-authz/media-type.ts";
import { parseBody } from "../../../src/grpc/ext-authz/parsed-body.ts";
import { ParsedPath } from "../../../src/grpc/ext-authz/parsed-path.ts";
import { parseQuery, textOfBytes } from "../../../src/grpc/ext-authz/url-encoding.ts";

/** What is read. */
export type Kind = "path" | "query" | "json" | "media-type" | "multipart";

/** A text that Go and Postern read. */
export interface Case {
  readonly kind: Kind;
  /** A character per byte. */
  readonly text: string;
  readonly contentType?: string;
}

/** What Go answers; see `tagged` in go-parsing.go. */
type Tagged =
  | null
  | boolean
  | { readonly text: string }
  | { readonly number: string }
  | { readonly items: readonly Tagged[] }
  | { readonly members: readonly (readonly [string, Tagged])[] };

interface Answer {
  readonly error?: string;
  readonly value: Tagged;
}

/** What Go answers to each. */
export function askGo(cases: readonly Case[]): Answer[] {
  const hex = (text: string): string => Buffer.from(text, "latin1").toString("hex");
  const lines = cases.map(({ kind, text, contentType }) =>
    JSON.stringify({ kind, text: hex(text), contentType: hex(contentType ?? "") }),
  );
  const program = join(import.meta.dirname, "go-parsing.go");
  const { stdout, stderr, status, error } = spawnSync("go", ["run", program], {
    input: lines.join("\n"),
    encoding: "utf8",
    maxBuffer: 64 * 1_024 * 1_024,
  });
  expect(status, error?.message ?? stderr).toBe(0);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);
}

/** A value as text that says all of it: members in order, all digits, no prototypes. */
function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" || typeof value === "bigint") return shownNumber(String(value));
  if (value instanceof NumberText) return shownNumber(value.text);
  if (Array.isArray(value)) return `[${value.map(shown).join()}]`;
  if (typeof value !== "object" || value === null) return String(value);
  expect(Object.getPrototypeOf(value)).toBe(null);
  const members = Object.entries(value).map(([name, member]) => `${shown(name)}:${shown(member)}`);
  return `{${members.sort().join()}}`;
}

function shownTagged(value: Tagged): string {
  if (typeof value !== "object" || value === null) return String(value);
  if ("text" in value) return shown(Buffer.from(value.text, "hex").toString());
  if ("number" in value) return shownNumber(value.number);
  if ("items" in value) return `[${value.items.map(shownTagged).join()}]`;
  const members = value.members.map(([name, member]) => {
    return `${shown(Buffer.from(name, "hex").toString())}:${shownTagged(member)}`;
  });
  return `{${members.sort().join()}}`;
}

function shownNumber(source: string): string {
  const { negative, digits, point } = readDecimal(source);
  return `${negative ? "-" : ""}0.${digits}e${point}`;
}

function plain(members: object): object {
  return Object.assign(Object.create(null), members);
}

function ask({ kind, text, contentType }: Case): unknown {
  const body = { body: "", path: { parsedPath: [] }, protoset: undefined };
  const rawBody = Buffer.from(text, "latin1");
  switch (kind) {
    case "path": {
      const { parsedPath, parsedQuery } = new ParsedPath(textOfBytes(text));
      return plain({ path: parsedPath, query: parsedQuery });
    }
    case "query":
      return parseQuery(textOfBytes(text), "body");
    case "json": {
      const headers = { "content-type": "application/json" };
      return parseBody({ ...body, rawBody, headers }).parsedBody;
    }
    case "multipart": {
      const headers = { "content-type": textOfBytes(contentType ?? "") };
      return parseBody({ ...body, rawBody, headers }).parsedBody;
    }
    case "media-type":
      return mediaTypeOf(text);
  }
}

function mediaTypeOf(text: string): object {
  const mediaType = parseMediaType(text);
  if (mediaType === undefined) throw new Error("malformed");
  const parameters = [...mediaType.parameters].map(([name, value]) => {
    return [`.${name}`, textOfBytes(value)];
  });
  return plain({ type: mediaType.type, ...Object.fromEntries(parameters) });
}

/** What Postern says to a case: `= value` or `! error`. */
export function answerOf(one: Case): string {
  try {
    return `= ${shown(ask(one))}`;
  } catch (error) {
    return `! ${(error as Error).message}`;
  }
}

/** Errors at parts of forms that Go takes or passes over. */
const STRICTER = new RegExp(
  [
    ...["malformed (header|Content-D)", "header twice", "within the header", "extended"],
    ...["boundary of", "encoded part", "no form-data", "blanks around"],
    "delimiter (behind|whose line begins|within)",
  ].join("|"),
);

function isStricter({ kind, text }: Case, ours: string): boolean {
  // Go's plugin takes a `null` behind the value for the end of the text.
  if (kind === "json") return /.\s*null/.test(text) && ours.includes("is not JSON");
  return kind === "multipart" && STRICTER.test(ours);
}

/** Compares what Go and Postern say to each, and tells how many they take both. */
export function compareWithGo(cases: readonly Case[]): number {
  const answers = askGo(cases);
  expect(answers.length).toBe(cases.length);
  let taken = 0;
  for (const [index, one] of cases.entries()) {
    const { error, value } = answers[index]!;
    const ours = answerOf(one);
    const said = JSON.stringify(one);
    if (error !== undefined) {
      expect(ours[0], `${said} is an error to Go: ${error}; here ${ours}`).toBe("!");
    } else if (!isStricter(one, ours)) {
      expect(ours, said).toBe(`= ${shownTagged(value)}`);
      taken += 1;
    }
  }
  return taken;
}
