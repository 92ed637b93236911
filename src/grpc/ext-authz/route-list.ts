/** Reads a list of routes, and says everything that is wrong with it at once. */
import { checkTerm } from "../../decision/names.ts";
import { createFindRoute, type FindRoute, foldRoutes, type Searched } from "./find-route.ts";
import type { RouteOptions } from "./options.ts";
import type { RouteTemplate } from "./path-index.ts";
import { createRouteTable, parametersOf, parseRoute, SameRoutes } from "./route-table.ts";
import { parseValueSource, pathParameterOf, type ValueSource } from "./value-source.ts";

/** A route, ready for use. */
export interface Route {
  /** Its place in the list. */
  readonly index: number;
  readonly options: RouteOptions;
  readonly template: RouteTemplate;
  readonly resourceType: string;
  readonly action: string;
  /** Where the properties of the resource are taken from. */
  readonly properties: readonly (readonly [name: string, source: ValueSource])[];
}

/** One thing that is wrong; `path` is that of the option below `ext_authz.rbac`. */
export interface RouteProblem {
  readonly path: string;
  readonly message: string;
}

const SHOWN_MAX = 50;

/** The routes can't be used. */
export class RoutesRefused extends Error {
  readonly problems: readonly RouteProblem[];

  constructor(problems: readonly RouteProblem[]) {
    const shown = problems.slice(0, SHOWN_MAX);
    super(shown.map(({ path, message }) => `ext_authz.rbac.${path}: ${message}`).join("\n"));
    this.name = "RoutesRefused";
    this.problems = problems;
  }
}

/** The routes that are right by themselves, and what finds them, if they are right together. */
export interface RouteList {
  readonly routes: readonly Route[];
  readonly found: (Searched & { readonly find: FindRoute }) | undefined;
}

/** Notes what is wrong at `path`; gives what `make` makes, or nothing. */
export type NoteAt = <Value>(path: string, make: () => Value) => Value | undefined;

/** Collects into `problems` what is thrown. */
export function noteProblems(problems: RouteProblem[]): NoteAt {
  return (path, make) => {
    try {
      return make();
    } catch (error) {
      problems.push({ path, message: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  };
}

/** Reads the list; what is wrong goes into `problems`. */
export function readRoutes(options: readonly RouteOptions[], problems: RouteProblem[]): RouteList {
  const note = noteProblems(problems);
  const routes = options.flatMap((route, index) => readRoute(route, index, note) ?? []);
  try {
    const table = createRouteTable(routes);
    const { folded, contested } = foldRoutes(routes);
    for (const { first, second } of contested) {
      const path = `routes[${second.index}].route`;
      const message = `differs from routes[${first.index}] in case or a slash at the end alone`;
      problems.push({ path, message: `${message}, and takes something else` });
    }
    const searched: Searched = { table, folded, routeAt: (row) => routes[row]! };
    return { routes, found: { ...searched, find: createFindRoute(searched) } };
  } catch (error) {
    if (!(error instanceof SameRoutes)) throw error;
    for (const { first, second } of error.pairs) {
      const path = `routes[${routes[second]!.index}].route`;
      problems.push({ path, message: `is the same as routes[${routes[first]!.index}]` });
    }
    return { routes, found: undefined };
  }
}

/** Reads the route at this place of the list; `undefined` if something is wrong with it. */
export function readRoute(options: RouteOptions, index: number, note: NoteAt): Route | undefined {
  const place = `routes[${index}]`;
  const template = note(`${place}.route`, () => parseRoute(options.route));
  const permission = note(`${place}.permission`, () => readPermission(options.permission));
  const names = template && parametersOf(template.segments);
  const properties = Object.entries(options.resource).map(([name, text]) =>
    note(`${place}.resource.${name}`, () => [name, readSource(text, names)] as const),
  );
  const read = properties.filter((property) => property !== undefined);
  const isWhole = read.length === properties.length;
  if (template === undefined || permission === undefined || !isWhole) return undefined;
  return { index, options, template, ...permission, properties: read };
}

function readPermission(permission: string): Pick<Route, "resourceType" | "action"> {
  const [resourceType = "", action = "", ...more] = permission.split(":");
  if (more.length > 0) throw new Error("has more than one colon; expected resource:action");
  checkTerm(resourceType, "the resource");
  checkTerm(action, "the action");
  return { resourceType, action };
}

/** `names` are the parameters of the route, where it could be read. */
function readSource(text: string, names: readonly string[] | undefined): ValueSource {
  const parameter = pathParameterOf(text);
  if (parameter !== undefined && names?.includes(parameter) === false) {
    throw new Error(`the route has no parameter {${parameter}}`);
  }
  return parseValueSource(text);
}
