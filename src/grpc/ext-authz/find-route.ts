/**
 * Finds the route of a request if there is no doubt about it. Upstreams differ in what they take for the
 * same path: many don't mind case, or a slash at the end; some put methods into upper case. So a route
 * stands for a request only if it does so for whoever reads it.
 */
import { foldCase } from "../../base/fold-case.ts";
import type { ParsedPath } from "./parsed-path.ts";
import type { Route } from "./route-list.ts";
import {
  createRouteTable,
  type RouteMatch,
  type RouteTable,
  type RouteTemplate,
} from "./route-table.ts";

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

/** Makes the search; `contested` are routes of which some upstreams can't tell one from the other. */
export function createFindRoute(
  routes: readonly Route[],
  table: RouteTable<Route>,
): { readonly find: FindRoute; readonly contested: readonly ContestedPair[] } {
  const { folded, contested } = foldRoutes(routes);
  const find: FindRoute = (method, path) => {
    if (!METHOD.test(method)) return { kind: "malformed-method" };
    if (path.isAmbiguous) return { kind: "ambiguous" };
    const segments = path.parsedPathSegments;
    const match = table.find(method, segments);
    if (match === undefined) return { kind: "none" };
    const other = folded.find(method, withoutSlash(segments).map(foldSegment))?.route;
    if (other === undefined || !isEquivalent(match.route, other))
      return { kind: "contested", other };
    return { kind: "route", ...match };
  };
  return { find, contested };
}

/** As routes have it, or of a kind that no route names. */
const METHOD = /^[A-Z-]{1,32}$/;

function foldRoutes(routes: readonly Route[]) {
  const rows = new Map<string, { readonly template: RouteTemplate; readonly route: Route }>();
  const contested: ContestedPair[] = [];
  for (const route of routes) {
    const template = foldTemplate(route.template);
    const key = keyOf(template);
    const known = rows.get(key);
    if (known === undefined) rows.set(key, { template, route });
    else if (!isEquivalent(known.route, route)) {
      contested.push({ first: known.route, second: route });
    }
  }
  return { folded: createRouteTable([...rows.values()]), contested };
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

function keyOf({ method, segments }: RouteTemplate): string {
  const shapes = segments.map((segment) =>
    segment.kind === "literal" ? `=${segment.text}` : segment.kind,
  );
  return `${method} ${shapes.join("/")}`;
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
