import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { type ErrorCode, LineCounter, parseDocument } from "yaml";
import { notRegularFile, regularFileFlags } from "../base/regular-file.ts";
import { KiB } from "../base/sizes.ts";
import { type Config, configSchema } from "./config.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { findContradictions } from "./contradictions.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import { type Origins, readOptions } from "./read-options.ts";

const FILE_BYTES_MAX = 256 * KiB;
const PROBLEMS_MAX = 50;

/** Instead of the parser's own texts, where those speak of its API. */
const ownTexts: Partial<Record<ErrorCode, string>> = {
  MULTIPLE_DOCS: "is a second document; expected one",
};

/** Where the configuration comes from. */
export interface ConfigSources {
  /** YAML file; `undefined` = the defaults alone. */
  readonly file: string | undefined;
  /** The process's own environment unless given. */
  readonly env?: Environment;
}

/** A configuration, and where each of its values comes from. */
export interface LoadedConfig {
  readonly config: Config;
  readonly origins: Origins;
}

/** Loads the configuration; throws `ConfigError` with everything that is wrong with it. */
export function loadConfig({ file, env = process.env }: ConfigSources): LoadedConfig {
  const text = file === undefined ? "" : readConfigFile(file);
  return parseConfig({ text, fileName: file ?? "defaults", env });
}

/** The same from a text. */
export function parseConfig(source: {
  readonly text: string;
  readonly fileName: string;
  readonly env: Environment;
}): LoadedConfig {
  const { text, fileName, env } = source;
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

  const environment = readEnvironment(configSchema, env);
  const { value, origins, problems } = readOptions(configSchema, {
    fileName,
    lines,
    root: document.contents,
    overrides: environment.overrides,
  });
  refuseIfAny([...problems, ...environment.problems]);

  const config = deepFreeze(value as Config);
  const contradictions = findContradictions(config).map(({ path, message }): ConfigProblem => {
    const origin = origins.get(path) ?? "default";
    return { at: origin === "default" ? fileName : origin, path, message };
  });
  refuseIfAny(contradictions);
  return { config, origins };
}

function readConfigFile(file: string): string {
  const refuse = (message: string, cause?: unknown) =>
    new ConfigError([{ at: file, path: "", message }], { cause });
  let opened: number | undefined;
  try {
    opened = openSync(file, regularFileFlags);
    const stats = fstatSync(opened);
    if (!stats.isFile()) throw refuse(notRegularFile);
    if (stats.size > FILE_BYTES_MAX) {
      throw refuse(`has ${stats.size} bytes; expected at most ${FILE_BYTES_MAX}`);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(opened));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const why = error instanceof TypeError ? "it is not UTF-8" : (error as Error).message;
    throw refuse(`can't read the configuration: ${why}`, error);
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}

function refuseIfAny(problems: readonly ConfigProblem[]): void {
  if (problems.length > 0) throw new ConfigError(problems.slice(0, PROBLEMS_MAX));
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
