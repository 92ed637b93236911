/**
 * Finds the route of a request if there is no doubt about it. Upstreams differ in what they take for the
 * same path: many don't mind case, or a slash at the end; some compare it before they decode it, or drop
 * what is not UTF-8; some put methods into upper case. So a route stands for a request only if it does
 * so for whoever reads it.
 */
import { foldCase } from "../../base/fold-case.ts";
import { ParsedPath } from "./parsed-path.ts";
import {
  findRow,
  type PathIndex,
  PathIndexBuilder,
  type RouteTemplate,
  type Sought,
} from "./path-index.ts";
import type { Route } from "./route-list.ts";
import { type RouteMatch, type RouteTable, SEGMENTS_MAX } from "./route-table.ts";

/** A route, or why there is none. */
export type RouteFinding =
  | ({ readonly kind: "route" } & RouteMatch<Route>)
  | { readonly kind: "none" }
  /** An upstream may read the path as another one. */
  | { readonly kind: "ambiguous" }
  | { readonly kind: "malformed-method" }
  /** `other` stands for the path as an upstream may read it; `undefined` = no route does. */
  | { readonly kind: "contested"; readonly other: Route | undefined };

/** Finds the route of a request. */
export type FindRoute = (method: string, path: ParsedPath) => RouteFinding;

/** Two routes that take different things, and differ in case or a slash at the end alone. */
export interface ContestedPair {
  readonly first: Route;
  readonly second: Route;
}

/** What a search looks into. */
export interface Searched {
  readonly table: RouteTable<Route>;
  /** The table's routes by paths as upstreams that don't mind case, or a slash, have them. */
  readonly folded: PathIndex;
  /** By rows of the indexes. */
  readonly routeAt: (row: number) => Route;
}

/** Makes the search. */
export function createFindRoute({ table, folded, routeAt }: Searched): FindRoute {
  return (method, path) => {
    if (!METHOD.test(method)) return { kind: "malformed-method" };
    const replaced = withoutReplaced(path);
    if (path.isAmbiguous || replaced?.isAmbiguous) return { kind: "ambiguous" };
    const segments = path.parsedPathSegments;
    const match = table.find(method, segments);
    if (match === undefined) return { kind: "none" };
    const readings = [segments, undecoded(path), replaced?.parsedPathSegments];
    for (const sought of readings.flatMap(foldReading)) {
      const row = findRow(folded, { method, ...sought })?.row;
      const other = row === undefined ? undefined : routeAt(row);
      if (other === undefined || !isEquivalent(match.route, other))
        return { kind: "contested", other };
    }
    return { kind: "route", ...match };
  };
}

/** What is left for whoever drops the bytes that are not UTF-8, for which Envoy has written "!". */
function withoutReplaced({ rawPath }: ParsedPath): ParsedPath | undefined {
  return rawPath.includes("!") ? new ParsedPath(rawPath.replaceAll("!", "")) : undefined;
}

function undecoded({ rawPath }: ParsedPath): readonly string[] | undefined {
  return rawPath.includes("%") ? rawPath.slice(1).split("/") : undefined;
}

/**
 * What the folded routes have to say the same of. To whom `/files` is `/files/`, `/files/**` stands for
 * it, unless `/files` is a route, too. What is behind the segments that routes have makes no difference.
 */
function foldReading(
  read: readonly string[] | undefined,
): readonly Pick<Sought, "segments" | "isRestOptional">[] {
  if (read === undefined) return [];
  const segments = withoutSlash(read)
    .slice(0, SEGMENTS_MAX + 1)
    .map(foldSegment);
  return [{ segments }, { segments, isRestOptional: true }];
}

/** As routes have it, or of a kind that no route names. */
const METHOD = /^[A-Z-]{1,32}$/;

/** `contested` are routes of which some upstreams can't tell one from the other. */
export function foldRoutes(routes: readonly Route[]): {
  readonly folded: PathIndex;
  readonly contested: readonly ContestedPair[];
} {
  const builder = new PathIndexBuilder();
  const contested: ContestedPair[] = [];
  for (const [row, route] of routes.entries()) {
    const known = builder.add(foldTemplate(route.template), row);
    const first = known === undefined ? route : routes[known]!;
    if (!isEquivalent(first, route)) contested.push({ first, second: route });
  }
  return { folded: builder.finish(), contested };
}

function foldTemplate({ method, segments }: RouteTemplate): RouteTemplate {
  const folded = segments.map((segment) =>
    segment.kind === "literal" ? { ...segment, text: foldSegment(segment.text) } : segment,
  );
  const last = folded.at(-1);
  const endsWithSlash = folded.length > 1 && last?.kind === "literal" && last.text === "";
  return { method, segments: endsWithSlash ? folded.slice(0, -1) : folded };
}

/** What can't be folded makes a path ambiguous, and is in no route. */
function foldSegment(text: string): string {
  return foldCase(text) ?? text;
}

/** The root, which is a slash alone, keeps it. */
function withoutSlash(segments: readonly string[]): readonly string[] {
  return segments.length > 1 && segments.at(-1) === "" ? segments.slice(0, -1) : segments;
}

/** Whether it makes no difference which of them is taken. */
function isEquivalent(one: Route, other: Route): boolean {
  if (one === other) return true;
  const whatCounts = ({ template, options }: Route): string => {
    const { permission, resource, dryRun } = options;
    return JSON.stringify([permission, resource, dryRun, foldTemplate(template)]);
  };
  return whatCounts(one) === whatCounts(other);
}
