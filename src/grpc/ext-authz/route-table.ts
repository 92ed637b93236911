/**
 * Finds the route of a request by its method and path. The more specific route wins, wherever it
 * stands: at the first segment where two differ, a literal goes before `{name}`, and that before `**`;
 * a method goes before `*`, and for `HEAD` that of `GET` before `*`.
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
export function createRouteTable<Route>(
  routes: readonly { readonly template: RouteTemplate; readonly route: Route }[],
): RouteTable<Route> {
  const root = new Node<Route>();
  const same: SamePair[] = [];
  for (const [index, { template, route }] of routes.entries()) {
    const { method, segments } = template;
    const node = segments.reduce((parent, segment) => parent.child(segment), root);
    node.ends ??= new Map();
    const other = node.ends.get(method);
    if (other === undefined) node.ends.set(method, { index, route, names: parametersOf(segments) });
    else same.push({ first: other.index, second: index });
  }
  if (same.length > 0) throw new SameRoutes(same);
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
  literals: Map<string, Node<Route>> | undefined;
  parameter: Node<Route> | undefined;
  rest: Node<Route> | undefined;
  /** By method. */
  ends: Map<string, End<Route>> | undefined;

  child(segment: TemplateSegment): Node<Route> {
    if (segment.kind === "literal") {
      this.literals ??= new Map();
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
  const literal = node.literals?.get(segment);
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
  // Upstreams answer HEAD as they do GET.
  const own = ends?.get(method) ?? (method === "HEAD" ? ends?.get("GET") : undefined);
  return own ?? ends?.get("*");
}
