/** Options in a YAML file: the configuration, and the files that it names. */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { type ErrorCode, LineCounter, parseDocument } from "yaml";
import { notRegularFile, regularFileFlags } from "../base/regular-file.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import type { Override } from "./environment.ts";
import type { OptionSchema } from "./option-schema.ts";
import { type Origins, type Reading, readOptions } from "./read-options.ts";

const PROBLEMS_MAX = 50;

/** Instead of the parser's own texts, where those speak of its API. */
const ownTexts: Partial<Record<ErrorCode, string>> = {
  MULTIPLE_DOCS: "is a second document; expected one",
};

/** A YAML text, and what its mistakes are reported under. */
export interface OptionsText {
  readonly text: string;
  readonly fileName: string;
  /** What goes before the file; nothing unless given. */
  readonly overrides?: ReadonlyMap<string, Override>;
}

/** Options that were read: complete and deeply frozen. */
export interface LoadedOptions {
  readonly value: unknown;
  readonly origins: Origins;
}

/** Reads options by their schema. Throws `ConfigError` with everything that is wrong. */
export function loadOptions(schema: OptionSchema, source: OptionsText): LoadedOptions {
  const { value, origins, problems } = readOptionsText(schema, source);
  refuseIfAny(problems);
  return { value: deepFreeze(value), origins };
}

/** The same, with what is wrong among the results; text that isn't YAML throws `ConfigError`. */
export function readOptionsText(schema: OptionSchema, source: OptionsText): Reading {
  const { text, fileName, overrides = new Map() } = source;
  const lines = new LineCounter();
  // Keys given twice are found while reading: the library's own check is quadratic.
  const document = parseDocument(text, {
    lineCounter: lines,
    logLevel: "error",
    uniqueKeys: false,
  });
  const syntax = [...document.errors, ...document.warnings].map((error): ConfigProblem => {
    const { line, col } = lines.linePos(error.pos[0]);
    // The parser is recursive, and reports its overflowing stack once per level.
    const isTooDeep = error.message.includes("call stack");
    const [what = ""] = error.message.split(/ at line \d|\n/, 1);
    const message = isTooDeep ? "is nested too deep" : (ownTexts[error.code] ?? what);
    return { at: `${fileName}:${line}:${col}`, path: "", message };
  });
  if (document.directives?.yaml.version !== "1.2") {
    const line = text.slice(0, Math.max(0, text.search(/^%YAML/m))).split("\n").length;
    syntax.push({ at: `${fileName}:${line}:1`, path: "", message: "expected YAML 1.2" });
  }
  refuseIfAny(syntax);
  return readOptions(schema, { fileName, lines, root: document.contents, overrides });
}

/** Reads a file of options. Throws `ConfigError` that is `isUnreadable`. */
export function readOptionsFile(file: string, bytesMax: number): string {
  let opened: number | undefined;
  try {
    opened = openSync(file, regularFileFlags);
    const stats = fstatSync(opened);
    if (!stats.isFile()) throw unreadable(file, notRegularFile);
    if (stats.size > bytesMax) {
      throw unreadable(file, `has ${stats.size} bytes; expected at most ${bytesMax}`);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(opened));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const why = error instanceof TypeError ? "it is not UTF-8" : (error as Error).message;
    throw unreadable(file, `can't read the file: ${why}`, error);
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}

function unreadable(file: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError([{ at: file, path: "", message }], { cause });
}

/** Throws `ConfigError` with the first of them. */
export function refuseIfAny(problems: readonly ConfigProblem[]): void {
  if (problems.length > 0) throw new ConfigError(problems.slice(0, PROBLEMS_MAX));
}

/** Freezes a value and what is in it. */
export function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
