import { quoted } from "../base/quoted.ts";
import { PdpError } from "../decision/error.ts";

/** Where in a document: names and indexes from its top. */
export type FieldPath = readonly (string | number)[];

/** Both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Collects what is wrong with one file, so that its author sees everything at once. */
export interface Problems {
  /** The field at `path` is wrong; `message` says what is expected. */
  add(path: FieldPath, message: string): void;
  /** The text at `position` is wrong; `path` is its field, where it belongs to one. */
  addAt(position: Position, message: string, path?: FieldPath): void;
  /** The field is odd but allowed. */
  warn(path: FieldPath, message: string): void;
  readonly warnings: readonly string[];
  /** How many mistakes there are so far. */
  count(): number;
  /** Throws one `PdpError` `invalid-argument` with a line per mistake. */
  throwIfAny(): void;
}

const LINES_MAX = 100;
const SHOWN_MAX = 80;

/** Starts a collection for the file called `name`. */
export function createProblems(name: string, positionOf: (path: FieldPath) => Position): Problems {
  const lines: string[] = [];
  const warnings: string[] = [];
  let count = 0;
  let firstField: string | undefined;
  const at = ({ line, column }: Position): string => `${name}:${line}:${column}`;
  const addLine = (line: () => string): void => {
    count += 1;
    if (lines.length < LINES_MAX) lines.push(line());
  };
  const addField = (path: FieldPath, message: string, position: () => Position): void => {
    firstField ??= fieldName(path);
    addLine(() => `${at(position())}: ${fieldName(path)}: ${message}`);
  };
  return {
    add(path, message) {
      addField(path, message, () => positionOf(path));
    },
    addAt(position, message, path) {
      if (path === undefined) addLine(() => `${at(position)}: ${message}`);
      else addField(path, message, () => position);
    },
    warn(path, message) {
      if (warnings.length < LINES_MAX) {
        warnings.push(`${at(positionOf(path))}: ${fieldName(path)}: ${message}`);
      }
    },
    warnings,
    count: () => count,
    throwIfAny() {
      if (count === 0) return;
      const more = count > lines.length ? [`and ${count - lines.length} more`] : [];
      const detail = firstField === undefined ? {} : { field: firstField };
      throw new PdpError("invalid-argument", [...lines, ...more].join("\n"), detail);
    },
  };
}

/** A path as people write it: `subjects[0].id`. */
function fieldName(path: FieldPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${quote(step)}]`;
  }
  return text === "" ? "the file" : text;
}

/** A value from outside, for a message: quoted, control characters escaped, cut when long. */
export function quote(value: unknown): string {
  if (typeof value === "string") return quoted(value, SHOWN_MAX);
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
