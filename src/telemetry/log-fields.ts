import type { LogFields } from "../base/logger.ts";

const TEXT_MAX = 1_024;
const STACK_MAX = 4_096;
const ITEMS_MAX = 32;
const DEPTH_MAX = 4;
const CAUSES_MAX = 5;

/** Names that the line itself uses; a field of that name would appear twice in the line. */
const RESERVED = new Set(["level", "time", "message"]);

/**
 * Copies fields so that whatever they hold, a line stays a line of bounded size: long texts and
 * lists are cut, nesting ends, errors become plain objects with their causes, getters that throw
 * don't.
 */
export function boundLogFields(fields: LogFields): Record<string, unknown> {
  const bounded: Record<string, unknown> = Object.create(null);
  for (const name of Object.keys(fields).slice(0, ITEMS_MAX)) {
    const shown = RESERVED.has(name) ? `${name}_` : cutText(name);
    bounded[shown] = boundValue(read(fields, name), DEPTH_MAX);
  }
  return bounded;
}

/** Cuts a message or a value that is too long for a line. */
export function cutText(text: string): string {
  return cut(text, TEXT_MAX);
}

function boundValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return cutText(value);
    case "bigint":
      return cutText(value.toString());
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
    case "undefined":
      return value;
    case "object":
      return value === null ? null : boundObject(value, depth);
    default:
      return `[${typeof value}]`;
  }
}

function boundObject(value: object, depth: number): unknown {
  if (value instanceof Error) return describeError(value, CAUSES_MAX);
  if (value instanceof Date) return String(value.getTime());
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth === 0) return "[…]";
  if (Array.isArray(value)) {
    const items = value.slice(0, ITEMS_MAX).map((item) => boundValue(item, depth - 1));
    return value.length > ITEMS_MAX ? [...items, `… ${value.length - ITEMS_MAX} more`] : items;
  }
  const bounded: Record<string, unknown> = Object.create(null);
  const names = Object.keys(value);
  for (const name of names.slice(0, ITEMS_MAX)) {
    bounded[cutText(name)] = boundValue(read(value, name), depth - 1);
  }
  if (names.length > ITEMS_MAX) bounded["…"] = `${names.length - ITEMS_MAX} more`;
  return bounded;
}

function describeError(error: Error, causesLeft: number): Record<string, unknown> {
  const described: Record<string, unknown> = {
    type: cutText(String(read(error, "name"))),
    message: cutText(String(read(error, "message"))),
    stack: cut(String(read(error, "stack")), STACK_MAX),
  };
  // `code` names system errors, `kind` and `stage` Postern's own.
  for (const name of ["code", "kind", "stage", "field"]) {
    const value = read(error, name);
    if (typeof value === "string") described[name] = cutText(value);
  }
  const cause = read(error, "cause");
  if (cause === undefined) return described;
  if (!(cause instanceof Error)) described["cause"] = boundValue(cause, 1);
  else described["cause"] = causesLeft > 0 ? describeError(cause, causesLeft - 1) : "[…]";
  return described;
}

function read(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name];
  } catch {
    // A getter of a foreign object threw; a log line is no reason to fail.
    return "[unreadable]";
  }
}

function cut(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max).toWellFormed()}… (${text.length})` : text;
}
