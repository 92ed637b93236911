import { parseDocument } from "yaml";
import { readJson } from "../base/read-json.ts";
import { BundleRefused, quoted } from "./bundle-refused.ts";
import { decodeText, isObject, type ParsedObject, parseJson } from "./json-text.ts";
import { hostRoot, isUnder } from "./manifest.ts";
import type { BundleFiles } from "./read-archive.ts";

/** The data of a bundle. */
export interface BaseDocument {
  /** JSON text; numbers are written as in the bundle, whatever their size. */
  readonly text: string;
  /** The same parsed, for looking at names; its numbers may have lost digits. */
  readonly value: ParsedObject;
}

const DATA_NAMES = new Set(["data.json", "data.yaml", "data.yml"]);

/**
 * Puts the data files of a bundle together: the folder of a file is the path of its document. Two
 * files may not give one name a value unless both give objects.
 *
 * What `opa build` makes has all data in `/data.json`, whose text is used as it is. Otherwise
 * numbers that a double can't hold travel as raw JSON, so that ids beyond 2^53 stay what they are.
 */
export function readBaseDocument(files: BundleFiles, bytesMax: number): BaseDocument {
  const names = [...files.keys()].filter((name) => DATA_NAMES.has(baseName(name)));
  const bytes = names.reduce((sum, name) => sum + files.get(name)!.length, 0);
  if (bytes > bytesMax) throw tooLarge(bytesMax);
  if (names.length === 1 && names[0] === "data.json") {
    const text = decodeText(files.get("data.json")!, "data.json", "data");
    const value = parseJson(text, "data.json", "data");
    if (!isObject(value)) throw refused('"data.json" is not an object');
    return { text, value };
  }
  try {
    const root: MutableObject = Object.create(null);
    for (const name of names.sort()) merge(root, readFile(files.get(name)!, name), name);
    const text = JSON.stringify(root);
    if (Buffer.byteLength(text) > bytesMax) throw tooLarge(bytesMax);
    return { text, value: root };
  } catch (error) {
    if (error instanceof RangeError) throw refused("the data is nested too deeply");
    throw error;
  }
}

/** Refuses data outside of the roots, or where the host or a rule has its own document. */
export function checkDataPlaces(
  value: ParsedObject,
  roots: readonly string[],
  rulePaths: Iterable<string>,
): void {
  if (Object.hasOwn(value, hostRoot)) {
    throw refused(`data.${hostRoot} belongs to Postern, which puts its own data there`);
  }
  checkUnderRoots(value, roots, "");
  for (const path of rulePaths) {
    if (hasValueAt(value, path.split("/"))) {
      throw refused(`data and a rule both define ${quoted(path)}`);
    }
  }
}

/** The whole base document: the bundle's, and the host's part in its place. */
export function withHostData(bundleText: string, hostText: string): string {
  const rest = bundleText.trimStart().slice(1).trimStart();
  return `{"${hostRoot}":${hostText}${rest.startsWith("}") ? "" : ","}${rest}`;
}

type MutableObject = { [name: string]: unknown };

function readFile(bytes: Buffer, name: string): unknown {
  const text = decodeText(bytes, name, "data");
  const value = name.endsWith(".json") ? parseExactly(text, name) : parseYaml(text, name);
  const folders = name.split("/").slice(0, -1);
  if (!isMergeable(value) && folders.length === 0) {
    throw refused(`${quoted(name)} is not an object`);
  }
  return folders.reduceRight((inner: unknown, folder) => {
    const outer: MutableObject = Object.create(null);
    outer[folder] = inner;
    return outer;
  }, value);
}

function parseExactly(text: string, name: string): unknown {
  parseJson(text, name, "data");
  return readJson(text, (_key, value, { source }) => {
    if (typeof value === "number") return exactNumber(value, source ?? String(value));
    if (!isMergeable(value)) return value;
    // Without a prototype, an own member called __proto__ stays a member when it is merged.
    return Object.assign(Object.create(null), value);
  });
}

function exactNumber(value: number, source: string): unknown {
  return String(value) === source ? value : JSON.rawJSON(source);
}

/** YAML 1.2, core schema, as OPA reads it since 1.21. */
function parseYaml(text: string, name: string): unknown {
  const document = parseDocument(text, { version: "1.2", schema: "core", intAsBigInt: true });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) throw refused(`${quoted(name)} is not YAML: ${problem.message}`);
  try {
    return fromYaml(document.toJS({ mapAsMap: true, maxAliasCount: 100 }), name);
  } catch (error) {
    if (error instanceof BundleRefused || error instanceof RangeError) throw error;
    throw refused(`${quoted(name)} can't be read: ${(error as Error).message}`);
  }
}

function fromYaml(value: unknown, name: string): unknown {
  if (typeof value === "bigint") return JSON.rawJSON(String(value));
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw refused(`${quoted(name)} has a number that JSON can't hold`);
  }
  if (Array.isArray(value)) return value.map((item) => fromYaml(item, name));
  if (!(value instanceof Map)) return value;
  const object: MutableObject = Object.create(null);
  for (const [key, item] of value) {
    if (typeof key !== "string") throw refused(`${quoted(name)} has a key that is not a string`);
    object[key] = fromYaml(item, name);
  }
  return object;
}

function merge(target: MutableObject, value: unknown, name: string): void {
  for (const [key, item] of Object.entries(value as MutableObject)) {
    const present = target[key];
    if (!Object.hasOwn(target, key)) target[key] = item;
    else if (isMergeable(present) && isMergeable(item)) merge(present, item, name);
    else throw refused(`${quoted(name)} gives ${quoted(key)} a second value`);
  }
}

function isMergeable(value: unknown): value is MutableObject {
  return isObject(value) && !JSON.isRawJSON(value);
}

function checkUnderRoots(value: MutableObject, roots: readonly string[], path: string): void {
  for (const [key, item] of Object.entries(value)) {
    const place = path === "" ? key : `${path}/${key}`;
    if (isUnder(roots, place)) continue;
    const leadsToRoot = roots.some((root) => root.startsWith(`${place}/`));
    if (!leadsToRoot || !isMergeable(item)) {
      throw refused(`data at ${quoted(place)} is outside of the manifest's roots`);
    }
    checkUnderRoots(item, roots, place);
  }
}

function hasValueAt(value: unknown, path: readonly string[]): boolean {
  let at = value;
  for (const part of path) {
    if (!isMergeable(at)) return true;
    if (!Object.hasOwn(at, part)) return false;
    at = at[part];
  }
  return true;
}

function baseName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function tooLarge(bytesMax: number): BundleRefused {
  return refused(`the data is larger than ${bytesMax} bytes (data_bytes_max)`);
}

function refused(message: string): BundleRefused {
  return new BundleRefused("data", message);
}
