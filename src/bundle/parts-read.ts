import { type DocumentParts, partsAt } from "../decision/document-parts.ts";

/** Some names, or all there are. */
export interface Names {
  has(name: string): boolean;
}

/**
 * Which parts of the input a policy can read, as far as writing them costs anything; the rest is
 * always there. Decided once per activation, so that a request asks a set and walks no paths.
 */
export interface PartsRead {
  readonly resourceId: boolean;
  /** Properties of the resource, by their own names. */
  readonly properties: Names;
  /** Members of `context`; `undefined` = not even whether it is there. */
  readonly context: Names | undefined;
  /** Members of `context.time`; `undefined` = all. */
  readonly time: readonly string[] | undefined;
  readonly request: boolean;
  /** All of this, of any input. */
  readonly parts: DocumentParts;
}

const all: Names = { has: () => true };

/** What is read by a policy of which nothing is known. */
export const everythingRead: PartsRead = Object.freeze({
  resourceId: true,
  properties: all,
  context: all,
  time: undefined,
  request: true,
  parts: "all",
});

const PROPERTY_PREFIX = "resource_";

/** The parts that these paths of a manifest name; `undefined` = all. */
export function partsRead(paths: readonly string[] | undefined): PartsRead {
  if (paths === undefined) return everythingRead;
  const isWhole = (path: string): boolean => paths.includes(path);
  const top = membersBelow(paths, "");
  const context = isWhole("context") ? all : membersBelow(paths, "context.");
  const isWholeTime = isWhole("context") || isWhole("context.time");
  const properties = [...top]
    .filter((name) => name.startsWith(PROPERTY_PREFIX))
    .map((name) => name.slice(PROPERTY_PREFIX.length));
  return Object.freeze({
    resourceId: top.has("resource_id"),
    properties: new Set(properties),
    context: top.has("context") ? context : undefined,
    time: isWholeTime ? undefined : [...membersBelow(paths, "context.time.")],
    request: top.has("request"),
    parts: partsAt(paths),
  });
}

/** Names of the members on the paths below this one. */
function membersBelow(paths: readonly string[], prefix: string): ReadonlySet<string> {
  const below = paths.filter((path) => path.startsWith(prefix));
  return new Set(below.map((path) => path.slice(prefix.length).split(".")[0]!));
}
