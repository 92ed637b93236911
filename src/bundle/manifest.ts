import { createHash } from "node:crypto";
import { BundleRefused, quoted } from "./bundle-refused.ts";
import { isObject, member, type ParsedObject, parseJson } from "./json-text.ts";

/** Postern's own part of a manifest, `metadata.postern`. */
export interface PosternMetadata {
  /** Path of the entrypoint that decides, where the bundle has several. */
  readonly entrypoint: string | undefined;
  /** The policy wants arrays where it would otherwise get sets. */
  readonly arrays: boolean;
  /** Name of the catalogue that lists the permissions. */
  readonly catalogue: string | undefined;
  /** What of the input the policy can read; `undefined` = it may be anything. */
  readonly reads: StatedReads | undefined;
}

/** What `postern bundle build` has found out about a module. */
export interface StatedReads {
  /** SHA-256 of the module, hex: of another one this says nothing. */
  readonly module: string;
  /** Paths below `input`, each with everything below it. */
  readonly paths: readonly string[];
}

/** What a `.manifest` states, checked. */
export interface Manifest {
  /** Empty if the bundle states none. */
  readonly revision: string;
  /** Parts of `data` that the bundle owns, without slashes at the ends; `""` is everything. */
  readonly roots: readonly string[];
  /** Entrypoints of the policy; empty if the bundle lists none. */
  readonly entrypoints: readonly string[];
  /** Path of the wasm module in the bundle. */
  readonly module: string;
  readonly postern: PosternMetadata;
}

/** The root of `data` that belongs to the host. */
export const hostRoot = "postern";

const ENTRYPOINTS_MAX = 1_000;
const ROOTS_MAX = 1_000;
const TEXT_MAX = 512;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const POSTERN_KEYS = ["entrypoint", "arrays", "catalogue", "reads"];
const READS_KEYS = ["module", "paths"];
const READ_PATH = /^[^.\p{C}]{1,128}(\.[^.\p{C}]{1,128}){0,7}$/u;

/** Most paths that `metadata.postern.reads` may have. */
export const READ_PATHS_MAX = 1_000;

/** Reads and checks a `.manifest`; `undefined` = the bundle has none, and so owns everything. */
export function readManifest(text: string | undefined): Manifest {
  const parsed = text === undefined ? {} : parseJson(text, ".manifest", "manifest");
  if (!isObject(parsed)) throw refused("the manifest is not an object");
  const roots = readRoots(member(parsed, "roots"));
  const { entrypoints, module } = readWasm(member(parsed, "wasm"));
  for (const entrypoint of entrypoints) {
    if (!isUnder(roots, entrypoint)) {
      throw refused(`the entrypoint ${quoted(entrypoint)} is outside of the manifest's roots`);
    }
  }
  const metadata = member(parsed, "metadata") ?? {};
  if (!isObject(metadata)) throw refused("metadata is not an object");
  return {
    revision: readText(parsed, "revision", "revision") ?? "",
    roots,
    entrypoints,
    module,
    postern: readPostern(member(metadata, "postern") ?? {}),
  };
}

/** Whether the text names a part of `input`: one to eight members with dots between them. */
export function isReadPath(text: string): boolean {
  return READ_PATH.test(text);
}

/** A policy that isn't given what it reads could allow what it should deny. */
export function checkReads(reads: StatedReads | undefined, wasm: Uint8Array): void {
  if (reads === undefined || reads.module === moduleDigest(wasm)) return;
  throw refused(
    "metadata.postern.reads was derived from another module; leave it to `postern bundle build`",
  );
}

/** How `metadata.postern.reads` names a module. */
export function moduleDigest(wasm: Uint8Array): string {
  return createHash("sha256").update(wasm).digest("hex");
}

/** Whether `path` lies under one of the roots. */
export function isUnder(roots: readonly string[], path: string): boolean {
  return roots.some((root) => root === "" || path === root || path.startsWith(`${root}/`));
}

function readRoots(value: unknown): string[] {
  if (value === undefined || value === null) return [""];
  if (!Array.isArray(value) || value.length > ROOTS_MAX) {
    throw refused(`roots is not a list of at most ${ROOTS_MAX} paths`);
  }
  const roots = value.map((root, index) => {
    if (typeof root !== "string" || root.length > TEXT_MAX || CONTROL.test(root)) {
      throw refused(`roots[${index}] is not a path`);
    }
    return trimSlashes(root);
  });
  for (const [index, root] of roots.entries()) {
    if (isUnder([hostRoot], root)) {
      throw refused(`the root ${quoted(root)} belongs to Postern, which puts its own data there`);
    }
    const overlapping = roots.find((other, at) => at !== index && isUnder([other], root));
    if (overlapping !== undefined) {
      throw refused(`the roots ${quoted(overlapping)} and ${quoted(root)} overlap`);
    }
  }
  return roots;
}

function readWasm(value: unknown): { entrypoints: string[]; module: string } {
  const list = value ?? [];
  if (!Array.isArray(list) || list.length > ENTRYPOINTS_MAX) {
    throw refused(`wasm is not a list of at most ${ENTRYPOINTS_MAX} entrypoints`);
  }
  const entrypoints = new Set<string>();
  const modules = new Set<string>();
  for (const [index, item] of list.entries()) {
    const place = `wasm[${index}]`;
    if (!isObject(item)) throw refused(`${place} is not an object`);
    const entrypoint = readText(item, "entrypoint", `${place}.entrypoint`);
    const module = readText(item, "module", `${place}.module`);
    if (!entrypoint || !module) throw refused(`${place} lacks its entrypoint or its module`);
    if (entrypoints.has(entrypoint)) {
      throw refused(`the entrypoint ${quoted(entrypoint)} is listed twice`);
    }
    entrypoints.add(entrypoint);
    modules.add(trimSlashes(module));
  }
  if (modules.size > 1) throw refused("the entrypoints are spread over several wasm modules");
  return { entrypoints: [...entrypoints], module: [...modules][0] ?? "policy.wasm" };
}

function readPostern(value: unknown): PosternMetadata {
  if (!isObject(value)) throw refused("metadata.postern is not an object");
  refuseUnknownKeys(value, "metadata.postern", POSTERN_KEYS);
  const arrays = member(value, "arrays") ?? false;
  if (typeof arrays !== "boolean") throw refused("metadata.postern.arrays is not true or false");
  const entrypoint = readText(value, "entrypoint", "metadata.postern.entrypoint");
  return {
    entrypoint: entrypoint === undefined ? undefined : trimSlashes(entrypoint),
    arrays,
    catalogue: readText(value, "catalogue", "metadata.postern.catalogue"),
    reads: readReads(member(value, "reads") ?? undefined),
  };
}

function readReads(value: unknown): StatedReads | undefined {
  if (value === undefined) return undefined;
  const place = "metadata.postern.reads";
  if (!isObject(value)) throw refused(`${place} is not an object`);
  refuseUnknownKeys(value, place, READS_KEYS);
  const module = member(value, "module");
  if (typeof module !== "string" || !/^[0-9a-f]{64}$/.test(module)) {
    throw refused(`${place}.module is not the SHA-256 of a module`);
  }
  const paths = member(value, "paths");
  if (!Array.isArray(paths) || paths.length > READ_PATHS_MAX) {
    throw refused(`${place}.paths is not a list of at most ${READ_PATHS_MAX} paths`);
  }
  const wrong = paths.findIndex((path) => typeof path !== "string" || !isReadPath(path));
  if (wrong >= 0) throw refused(`${place}.paths[${wrong}] is not a path of one to eight members`);
  return { module, paths };
}

function refuseUnknownKeys(object: ParsedObject, place: string, known: readonly string[]): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw refused(`${place} has the unknown key ${quoted(unknown)}; known are ${known.join(", ")}`);
}

function readText(object: ParsedObject, name: string, place: string): string | undefined {
  const value = member(object, name) ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw refused(`${place} is not a string`);
  if (value.length > TEXT_MAX || CONTROL.test(value) || !value.isWellFormed()) {
    throw refused(`${place} is longer than ${TEXT_MAX} characters or has control characters`);
  }
  return value;
}

function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}

function refused(message: string): BundleRefused {
  return new BundleRefused("manifest", message);
}
