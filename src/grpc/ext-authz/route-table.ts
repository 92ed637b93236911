/**
 * Finds the route of a request by its method and path. The more specific route wins, wherever it
 * stands: at the first segment where two differ, a literal goes before `{name}`, and that before `**`;
 * a method goes before `*`.
 */

/** A route's template, taken apart. */
export interface RouteTemplate {
  /** Upper case, or `*` for any. */
  readonly method: string;
  readonly segments: readonly TemplateSegment[];
}

/** One segment of a path, decoded; `rest` is everything from there on, and last. */
export type TemplateSegment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "parameter"; readonly name: string }
  | { readonly kind: "rest" };

/** A route that was found, and what its parameters stand for. */
export interface RouteMatch<Route> {
  readonly route: Route;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Routes by method and path. */
export interface RouteTable<Route> {
  /** `segments` are decoded. */
  find(method: string, segments: readonly string[]): RouteMatch<Route> | undefined;
}

const ROUTE = /^([A-Z]{1,32}|\*) (\/\S*)$/;
const PARAMETER = /^\{([a-z][a-z0-9_]{0,31})\}$/;
const LITERAL = /^[A-Za-z0-9._~!$&'()+,:@-]+$/;
const SEGMENTS_MAX = 32;

/** Takes `GET /agents/{id}` apart. Throws an `Error` that says what is wrong. */
export function parseRoute(text: string): RouteTemplate {
  const [, method, path] = ROUTE.exec(text) ?? [];
  if (method === undefined || path === undefined) {
    throw new Error('expected a method, or *, and a path, as in "GET /agents/{id}"');
  }
  const parts = path.slice(1).split("/");
  if (parts.length > SEGMENTS_MAX) throw new Error(`has more than ${SEGMENTS_MAX} segments`);
  const segments = parts.map((part, index) => parseSegment(part, index === parts.length - 1));
  const names = segments.flatMap((segment) => (segment.kind === "parameter" ? segment.name : []));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`has the parameter {${twice}} twice`);
  return { method, segments };
}

function parseSegment(part: string, isLast: boolean): TemplateSegment {
  if (part === "**") {
    if (isLast) return { kind: "rest" };
    throw new Error("has ** before its end");
  }
  const [, name] = PARAMETER.exec(part) ?? [];
  if (name !== undefined) return { kind: "parameter", name };
  // An empty one is the root, or the end of a path that ends with a slash.
  if (LITERAL.test(part) || (part === "" && isLast)) return { kind: "literal", text: part };
  throw new Error(
    `has the segment ${JSON.stringify(part)}; expected plain text, {name}, or ** at the end`,
  );
}

/** Thrown where two routes are the same; the numbers are their places in the list. */
export class SameRoute extends Error {
  readonly first: number;
  readonly second: number;

  constructor(first: number, second: number) {
    super(`is the same as routes[${first}]`);
    this.first = first;
    this.second = second;
  }
}

/** Makes a table. Throws `SameRoute`. */
export function createRouteTable<Route>(
  routes: readonly { readonly template: RouteTemplate; readonly route: Route }[],
): RouteTable<Route> {
  const root = new Node<Route>();
  for (const [index, { template, route }] of routes.entries()) {
    const { method, segments } = template;
    const methods = segments.reduce((node, segment) => node.child(segment), root).ends;
    const other = methods.get(method);
    if (other !== undefined) throw new SameRoute(other.index, index);
    const names = segments.flatMap((segment) => (segment.kind === "parameter" ? segment.name : []));
    methods.set(method, { index, route, names });
  }
  return {
    find(method, segments) {
      const values: string[] = [];
      const end = search(root, { method, segments, values }, 0);
      if (end === undefined) return undefined;
      const parameters = new Map(end.names.map((name, index) => [name, values[index]!]));
      return { route: end.route, parameters };
    },
  };
}

interface End<Route> {
  readonly index: number;
  readonly route: Route;
  /** Of the parameters, in order. */
  readonly names: readonly string[];
}

class Node<Route> {
  readonly literals = new Map<string, Node<Route>>();
  parameter: Node<Route> | undefined;
  rest: Node<Route> | undefined;
  /** By method. */
  readonly ends = new Map<string, End<Route>>();

  child(segment: TemplateSegment): Node<Route> {
    if (segment.kind === "literal") {
      const node = this.literals.get(segment.text) ?? new Node<Route>();
      this.literals.set(segment.text, node);
      return node;
    }
    const which = segment.kind;
    this[which] ??= new Node();
    return this[which];
  }
}

interface Search {
  readonly method: string;
  readonly segments: readonly string[];
  /** Of the parameters on the way. */
  readonly values: string[];
}

/** Comes to each node of the tree once at most, whatever the path is. */
function search<Route>(node: Node<Route>, what: Search, at: number): End<Route> | undefined {
  const { method, segments, values } = what;
  const segment = segments[at];
  if (segment === undefined) return endOf(node, method);
  const literal = node.literals.get(segment);
  const found = literal && search(literal, what, at + 1);
  if (found !== undefined) return found;
  if (node.parameter !== undefined && segment !== "") {
    values.push(segment);
    const below = search(node.parameter, what, at + 1);
    if (below !== undefined) return below;
    values.pop();
  }
  return node.rest && endOf(node.rest, method);
}

function endOf<Route>({ ends }: Node<Route>, method: string): End<Route> | undefined {
  return ends.get(method) ?? ends.get("*");
}
