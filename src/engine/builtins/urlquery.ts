import { compareStrings, type Term, type TermObject, termObject } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { toJson } from "./json-text.ts";
import { checkText } from "./limits.ts";
import { asCollection, asObject, asString } from "./operands.ts";
import { escapePercent, unescapePercent } from "./percent.ts";

/** Most parameters of a query, as in Go's net/url. */
const PARAMETERS_MAX = 10_000;

/** Queries of URLs, escaped as Go's net/url does. */
export const urlqueryBuiltins: BuiltinFamily = {
  "urlquery.encode": ([text]) => checkText(escapeQuery(asString(text))),
  "urlquery.decode": ([text]) => unescapeQuery(asString(text)),
  "urlquery.encode_object": ([object]) => checkText(encodeObject(asObject(object))),
  "urlquery.decode_object": ([text]) => decodeObject(asString(text)),
};

function escapeQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!*'()]/g, escapePercent)
    .replaceAll("%20", "+");
}

function unescapeQuery(text: string): string {
  return unescapePercent(text.replaceAll("+", " "));
}

function encodeObject(object: TermObject): string {
  return object
    .entries()
    .map(([key, value]) => ({ key: typeof key === "string" ? key : toJson(key), value }))
    .sort((a, b) => compareStrings(a.key, b.key))
    .flatMap(({ key, value }) => valuesOf(value).map((text) => pair(key, text)))
    .join("&");
}

function valuesOf(value: Term): string[] {
  return typeof value === "string" ? [value] : asCollection(value).map(asString);
}

function pair(key: string, value: string): string {
  return `${escapeQuery(key)}=${escapeQuery(value)}`;
}

function decodeObject(query: string): TermObject {
  const parameters = query.split("&");
  if (parameters.length > PARAMETERS_MAX) throw new BuiltinError("too many parameters");
  if (query.includes(";")) throw new BuiltinError("semicolon in query");
  const values = new Map<string, string[]>();
  for (const parameter of parameters) {
    if (parameter === "") continue;
    const equals = parameter.indexOf("=");
    const key = unescapeQuery(equals < 0 ? parameter : parameter.slice(0, equals));
    const value = equals < 0 ? "" : unescapeQuery(parameter.slice(equals + 1));
    const list = values.get(key);
    if (list === undefined) values.set(key, [value]);
    else list.push(value);
  }
  return termObject(values);
}
