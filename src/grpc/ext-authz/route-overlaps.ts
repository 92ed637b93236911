/** How the templates of two routes stand to each other, as sets of requests. */
import type { RouteTemplate, TemplateSegment } from "./path-index.ts";

/** A request that two routes match: what is in braces may be anything. */
export interface ExampleRequest {
  /** `*` = any. */
  readonly method: string;
  readonly segments: readonly string[];
}

/** Whether every path that `inner` matches, `outer` matches, too; methods aside. */
export function coversPath(outer: RouteTemplate, inner: RouteTemplate): boolean {
  for (const [index, segment] of outer.segments.entries()) {
    const other = inner.segments[index];
    if (other === undefined) return false;
    if (segment.kind === "rest") return true;
    if (!coversSegment(segment, other)) return false;
  }
  return inner.segments.length === outer.segments.length;
}

function coversSegment(outer: TemplateSegment, inner: TemplateSegment): boolean {
  if (outer.kind === "literal") return inner.kind === "literal" && inner.text === outer.text;
  return inner.kind === "parameter" || (inner.kind === "literal" && inner.text !== "");
}

/** The widest request that both match; `undefined` if there is none. */
export function commonRequest(
  one: RouteTemplate,
  other: RouteTemplate,
): ExampleRequest | undefined {
  const isSame = one.method === other.method;
  if (!isSame && one.method !== "*" && other.method !== "*") return undefined;
  const method = one.method === "*" ? other.method : one.method;
  const segments: string[] = [];
  for (let index = 0; ; index += 1) {
    const a = one.segments[index];
    const b = other.segments[index];
    if (a === undefined && b === undefined) return { method, segments };
    if (a === undefined || b === undefined) return undefined;
    // The one that is not at its rest yet says what follows.
    if (a.kind === "rest") return { method, segments: [...segments, ...shown(other, index)] };
    if (b.kind === "rest") return { method, segments: [...segments, ...shown(one, index)] };
    const segment = commonSegment(a, b);
    if (segment === undefined) return undefined;
    segments.push(segment);
  }
}

type PlainSegment = Exclude<TemplateSegment, { readonly kind: "rest" }>;

function commonSegment(one: PlainSegment, other: PlainSegment): string | undefined {
  if (one.kind === "literal" && other.kind === "literal") {
    return one.text === other.text ? one.text : undefined;
  }
  const literal = one.kind === "literal" ? one : other;
  if (literal.kind === "parameter") return `{${literal.name}}`;
  return literal.text === "" ? undefined : literal.text;
}

/** No literal has braces, so that these stand for whatever no literal stands for. */
function shown({ segments }: RouteTemplate, from: number): readonly string[] {
  return segments.slice(from).map((segment) => {
    if (segment.kind === "literal") return segment.text;
    return segment.kind === "parameter" ? `{${segment.name}}` : "{rest}";
  });
}

/** Finds the routes that have requests in common with a template. */
export class OverlapIndex<Route extends { readonly template: RouteTemplate }> {
  readonly #root = new OverlapNode<Route>();

  constructor(routes: Iterable<Route>) {
    for (const route of routes) {
      let node = this.#root;
      for (const segment of route.template.segments) node = node.child(segment);
      node.routes.push(route);
    }
  }

  /** Methods aside; among them those of the same template. */
  overlapping({ segments }: RouteTemplate): Iterable<Route> {
    return overlapping(this.#root, segments, 0);
  }
}

class OverlapNode<Route> {
  readonly literals = new Map<string, OverlapNode<Route>>();
  parameter: OverlapNode<Route> | undefined;
  rest: OverlapNode<Route> | undefined;
  readonly routes: Route[] = [];

  child(segment: TemplateSegment): OverlapNode<Route> {
    if (segment.kind === "literal") {
      const node = this.literals.get(segment.text) ?? new OverlapNode<Route>();
      this.literals.set(segment.text, node);
      return node;
    }
    this[segment.kind] ??= new OverlapNode();
    return this[segment.kind]!;
  }
}

function* overlapping<Route>(
  node: OverlapNode<Route>,
  segments: RouteTemplate["segments"],
  at: number,
): Iterable<Route> {
  const segment = segments[at];
  if (segment === undefined) {
    yield* node.routes;
    return;
  }
  if (segment.kind === "rest") {
    yield* below(node);
    return;
  }
  if (node.rest !== undefined) yield* node.rest.routes;
  for (const [text, child] of literalsFor(node, segment)) {
    if (segment.kind === "literal" || text !== "") yield* overlapping(child, segments, at + 1);
  }
  const isEmpty = segment.kind === "literal" && segment.text === "";
  if (node.parameter !== undefined && !isEmpty) {
    yield* overlapping(node.parameter, segments, at + 1);
  }
}

function literalsFor<Route>(
  { literals }: OverlapNode<Route>,
  segment: PlainSegment,
): Iterable<readonly [string, OverlapNode<Route>]> {
  if (segment.kind === "parameter") return literals;
  const child = literals.get(segment.text);
  return child === undefined ? [] : [[segment.text, child]];
}

function* below<Route>(node: OverlapNode<Route>): Iterable<Route> {
  for (const child of [...node.literals.values(), node.parameter, node.rest]) {
    if (child === undefined) continue;
    yield* child.routes;
    yield* below(child);
  }
}
