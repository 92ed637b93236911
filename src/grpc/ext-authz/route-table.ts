/**
 * Finds the route of a request by its method and path. The more specific route wins, wherever it
 * stands: at the first segment where two differ, a literal goes before `{name}`, and that before `**`;
 * a method goes before `*`, and for `HEAD` that of `GET` before `*`.
 */
import {
  findRow,
  type PathIndex,
  PathIndexBuilder,
  type RouteTemplate,
  type TemplateSegment,
} from "./path-index.ts";

/** A route that was found, and what its parameters stand for. */
export interface RouteMatch<Route> {
  readonly route: Route;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Routes by method and path. */
export interface RouteTable<Route> {
  /** Rows are places in the list of routes. */
  readonly index: PathIndex;
  /** `segments` are decoded. */
  find(method: string, segments: readonly string[]): RouteMatch<Route> | undefined;
}

/** What a table looks at. */
interface Templated {
  readonly template: RouteTemplate;
}

const ROUTE = /^([A-Z]{1,32}|\*) (\/\S*)$/;
const PARAMETER = /^\{([a-z][a-z0-9_]{0,31})\}$/;
/** Without "!", which Envoy writes for what is not UTF-8. */
const LITERAL = /^[A-Za-z0-9._~$&'()+,:@-]+$/;
/** Most segments of a route. */
export const SEGMENTS_MAX = 32;

/** Takes `GET /agents/{id}` apart. Throws an `Error` that says what is wrong. */
export function parseRoute(text: string): RouteTemplate {
  const [, method, path] = ROUTE.exec(text) ?? [];
  if (method === undefined || path === undefined) {
    throw new Error('expected a method in upper case, or *, and a path, as in "GET /agents/{id}"');
  }
  const parts = path.slice(1).split("/");
  if (parts.length > SEGMENTS_MAX) throw new Error(`has more than ${SEGMENTS_MAX} segments`);
  const segments = parts.map((part, index) => parseSegment(part, index === parts.length - 1));
  const names = parametersOf(segments);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`has the parameter {${twice}} twice`);
  return { method, segments };
}

/** The names of a template's parameters, in order. */
export function parametersOf(segments: RouteTemplate["segments"]): readonly string[] {
  return segments.flatMap((segment) => (segment.kind === "parameter" ? segment.name : []));
}

function parseSegment(part: string, isLast: boolean): TemplateSegment {
  if (part === "**") {
    if (isLast) return { kind: "rest" };
    throw new Error("has ** before its end");
  }
  const [, name] = PARAMETER.exec(part) ?? [];
  if (name !== undefined) return { kind: "parameter", name };
  if (part === "." || part === "..")
    throw new Error(`has the segment "${part}", which no path has`);
  // An empty one is the root, or the end of a path that ends with a slash.
  if (LITERAL.test(part) || (part === "" && isLast)) return { kind: "literal", text: part };
  throw new Error(
    `has the segment ${JSON.stringify(part)}; expected plain text, {name}, or ** at the end`,
  );
}

/** Two routes that are the same, by their places in the list. */
export interface SamePair {
  readonly first: number;
  readonly second: number;
}

/** Thrown where routes are the same: nobody could say which of them holds. */
export class SameRoutes extends Error {
  readonly pairs: readonly SamePair[];

  constructor(pairs: readonly SamePair[]) {
    super(pairs.map(({ first, second }) => `routes[${second}] is routes[${first}]`).join(", "));
    this.name = "SameRoutes";
    this.pairs = pairs;
  }
}

/** Makes a table. Throws `SameRoutes`. */
export function createRouteTable<Route extends Templated>(
  routes: readonly Route[],
): RouteTable<Route> {
  const builder = new PathIndexBuilder();
  const same: SamePair[] = [];
  for (const [second, { template }] of routes.entries()) {
    const first = builder.add(template, second);
    if (first !== undefined) same.push({ first, second });
  }
  if (same.length > 0) throw new SameRoutes(same);
  return openRouteTable(builder.finish(), (row) => routes[row]!);
}

/** The table of an index that was made before; `routeAt` gives the routes by their rows. */
export function openRouteTable<Route extends Templated>(
  index: PathIndex,
  routeAt: (row: number) => Route,
): RouteTable<Route> {
  return {
    index,
    find(method, segments) {
      const found = findRow(index, { method, segments });
      if (found === undefined) return undefined;
      const route = routeAt(found.row);
      const parameters = new Map<string, string>();
      for (const segment of route.template.segments) {
        if (segment.kind !== "parameter") continue;
        parameters.set(segment.name, found.values[parameters.size]!);
      }
      return { route, parameters };
    },
  };
}
