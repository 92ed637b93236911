/**
 * Finds what is odd about a table of routes that could be served: it does what it says, but hardly
 * what its author means. Not for what can't be served, which `route-list.ts` refuses.
 */
import { suggestion } from "../../base/nearest.ts";
import { quoted } from "../../base/quoted.ts";
import type { Catalogue } from "../../decision/catalogue.ts";
import type { RouteTemplate, TemplateSegment } from "./path-index.ts";
import type { Route, RouteProblem } from "./route-list.ts";
import { commonRequest, coversPath, type ExampleRequest, OverlapIndex } from "./route-overlaps.ts";
import type { RouteTable } from "./route-table.ts";

/** What kind of oddity it is. */
export type RouteOddityKind =
  /** Nobody can be asked about. */
  | "no-subject"
  /** The application has no such permission. */
  | "unknown-permission"
  /** The resource's type is one that is denied without a classification. */
  | "unclassified"
  /** No request comes to the route. */
  | "unreachable"
  /** Requests match two routes, neither of which is an exception of the other. */
  | "overlap"
  /** `HEAD` comes to another permission than the `GET` that it stands for; perhaps as is meant. */
  | "head";

/** Something odd. */
export interface RouteOddity extends RouteProblem {
  readonly kind: RouteOddityKind;
}

/** A table, and what is known besides. */
export interface Examined {
  readonly routes: readonly Route[];
  readonly table: RouteTable<Route>;
  /** How many places may have the subject. */
  readonly subjects: number;
  /** Of the application. */
  readonly catalogue: Catalogue;
}

const SHOWN_MAX = 127;
const NAMES_MAX = 3;

/** Everything that is odd. */
export function examineRoutes(examined: Examined): readonly RouteOddity[] {
  const { routes, table, catalogue } = examined;
  const nobody: RouteOddity = {
    kind: "no-subject",
    path: "subject",
    message: "no place has the subject, so that every request is denied",
  };
  return [
    ...(examined.subjects === 0 ? [nobody] : []),
    ...routes.flatMap((route) => [...findUnknown(route, catalogue)]),
    ...findUnreachable(routes),
    ...findOverlaps(routes, table),
    ...findHeads(routes, table),
  ];
}

function* findUnknown(route: Route, catalogue: Catalogue): Iterable<RouteOddity> {
  const { index, options, resourceType } = route;
  const { permission, resource } = options;
  const path = `routes[${index}].permission`;
  const type = catalogue.resourceTypes.get(resourceType);
  if (!catalogue.permissions.has(permission)) {
    const hint = suggestion(permission, catalogue.permissions.keys());
    const message = `${catalogue.name} has no permission ${quoted(permission, SHOWN_MAX)}${hint}`;
    yield { kind: "unknown-permission", path, message };
  } else if (type?.classified === true && !Object.hasOwn(resource, "classification")) {
    const message =
      `${resourceType} is classified, so that every request without the property ` +
      '"classification" is denied';
    yield { kind: "unclassified", path: `routes[${index}].resource`, message };
  }
}

function* findUnreachable(routes: readonly Route[]): Iterable<RouteOddity> {
  const byShape = new Map(routes.map((route) => [shapeOf(route.template), route]));
  for (const route of routes) {
    const why = whyUnreachable(route, byShape);
    if (why === undefined) continue;
    const message = `${why}; no request comes here`;
    yield { kind: "unreachable", path: `routes[${route.index}].route`, message };
  }
}

/** Routes are the same if these are. No literal has a space, a slash or a brace. */
function shapeOf({ method, segments }: RouteTemplate): string {
  const texts = segments.map((segment) => {
    if (segment.kind === "literal") return segment.text;
    return segment.kind === "parameter" ? "{}" : "**";
  });
  return `${method} /${texts.join("/")}`;
}

function whyUnreachable(
  { template }: Route,
  byShape: ReadonlyMap<string, Route>,
): string | undefined {
  const { method, segments } = template;
  if (segments.at(-1)?.kind !== "rest") return undefined;
  const takers = takersOfRest({ method, segments: segments.slice(0, -1) }, byShape);
  return takers && `${takers.map(nameOf).join(", ")} take all that it matches`;
}

/** The more specific routes that together take all that `**` behind `prefix` does. */
function takersOfRest(
  prefix: RouteTemplate,
  byShape: ReadonlyMap<string, Route>,
): readonly Route[] | undefined {
  const taker = (...more: TemplateSegment[]): Route | undefined => {
    const segments = [...prefix.segments, ...more];
    return (
      byShape.get(shapeOf({ method: prefix.method, segments })) ??
      byShape.get(shapeOf({ method: "*", segments }))
    );
  };
  const one: TemplateSegment = { kind: "parameter", name: "any" };
  const empty = taker({ kind: "literal", text: "" });
  const single = taker(one);
  if (empty === undefined || single === undefined) return undefined;
  const longer = taker(one, { kind: "rest" });
  const deeper = { ...prefix, segments: [...prefix.segments, one] };
  const others = longer === undefined ? takersOfRest(deeper, byShape) : [longer];
  return others && [empty, single, ...others];
}

function* findOverlaps(routes: readonly Route[], table: RouteTable<Route>): Iterable<RouteOddity> {
  const index = new OverlapIndex(routes);
  for (const route of routes) {
    for (const other of index.overlapping(route.template)) {
      const finding = other.index < route.index ? overlapOf(other, route, table) : undefined;
      if (finding !== undefined) yield finding;
    }
  }
}

function overlapOf(
  earlier: Route,
  later: Route,
  table: RouteTable<Route>,
): RouteOddity | undefined {
  const [one, other] = [earlier.template, later.template];
  // One of them is an exception of the other, as is meant by giving both.
  if (coversPath(one, other) || coversPath(other, one)) return undefined;
  if (isSameQuestion(earlier, later)) return undefined;
  const request = commonRequest(one, other);
  const winner = request && table.find(request.method, request.segments)?.route;
  // A third route says what holds for what they have in common.
  if (request === undefined || (winner !== earlier && winner !== later)) return undefined;
  const message =
    `overlaps with ${nameOf(earlier)}: ${shownRequest(request)} matches both, and takes ` +
    `${winner.options.permission} by routes[${winner.index}]; give a route for it`;
  return { kind: "overlap", path: `routes[${later.index}].route`, message };
}

function isSameQuestion(one: Route, other: Route): boolean {
  const key = ({ options }: Route): string =>
    JSON.stringify([options.permission, Object.entries(options.resource).sort()]);
  return key(one) === key(other);
}

/** Upstreams answer HEAD as they do GET, though without the body; a route of its own may say otherwise. */
function findHeads(routes: readonly Route[], table: RouteTable<Route>): readonly RouteOddity[] {
  const byOther = new Map<Route, Route[]>();
  for (const route of routes) {
    if (route.template.method !== "GET") continue;
    const request = commonRequest(route.template, { ...route.template, method: "*" });
    const other = request && table.find("HEAD", request.segments)?.route;
    if (other === undefined || other.options.permission === route.options.permission) continue;
    byOther.set(other, [...(byOther.get(other) ?? []), route]);
  }
  return [...byOther].map(([other, gets]) => {
    const { permission } = other.options;
    const shown = gets.slice(0, NAMES_MAX).map(nameOf).join(", ");
    const more = gets.length > NAMES_MAX ? ` and ${gets.length - NAMES_MAX} more` : "";
    const message = `HEAD of ${shown}${more} comes here, and takes ${permission}`;
    return { kind: "head", path: `routes[${other.index}].route`, message };
  });
}

function nameOf({ index, options }: Route): string {
  return `routes[${index}] (${options.route})`;
}

function shownRequest({ method, segments }: ExampleRequest): string {
  return `${method} /${segments.join("/")}`;
}
