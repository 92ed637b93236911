/**
 * Methods and paths of routes, as a tree in two arrays and a text. Another thread can make it and hand
 * it over: as objects, ten thousand routes took 300 ms to make, and 15 ms of the garbage collector at a
 * stretch, on the thread that serves.
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

/** The tree; nodes are numbered from the root, 0. */
export interface PathIndex {
  /** Literals and methods, one behind the other. */
  readonly texts: string;
  /** Of each node: the one below it of a parameter, that of the rest; 0 = none. */
  readonly nodes: Int32Array;
  /**
   * Hash table, a power of two of slots, half of them free at least. Of each: whose edge it is, plus 1
   * (0 = free), where its text begins, how long that is, and where the edge leads.
   */
  readonly edges: Int32Array;
}

/** What a request comes to. */
export interface FoundRow {
  readonly row: number;
  /** Of the parameters on the way, in order. */
  readonly values: readonly string[];
}

const ROOT = 0;
const NODE_WORDS = 2;
const PARAMETER = 0;
const REST = 1;
const EDGE_WORDS = 4;

/** Edges to nodes, by literals. */
const literalsOf = (node: number): number => 2 * node;
/** Edges to rows, by methods. */
const methodsOf = (node: number): number => 2 * node + 1;

interface Edge {
  readonly owner: number;
  readonly text: string;
  readonly target: number;
}

/** Makes an index, route by route. */
export class PathIndexBuilder {
  readonly #nodes: number[] = [0, 0];
  readonly #edges = new Map<string, Edge>();

  /** Adds a route under this number; gives the number of the same route, if there is one already. */
  add({ method, segments }: RouteTemplate, row: number): number | undefined {
    const node = segments.reduce((above, segment) => this.#below(above, segment), ROOT);
    const target = this.#target({ owner: methodsOf(node), text: method, target: row });
    return target === row ? undefined : target;
  }

  finish(): PathIndex {
    const edges = [...this.#edges.values()];
    let slots = 1;
    while (slots < 2 * edges.length) slots *= 2;
    const words = new Int32Array(slots * EDGE_WORDS);
    let textAt = 0;
    for (const { owner, text, target } of edges) {
      let slot = hashOf(owner, text) & (slots - 1);
      while (words[slot * EDGE_WORDS] !== 0) slot = (slot + 1) & (slots - 1);
      words.set([owner + 1, textAt, text.length, target], slot * EDGE_WORDS);
      textAt += text.length;
    }
    const texts = edges.map(({ text }) => text).join("");
    return { texts, nodes: Int32Array.from(this.#nodes), edges: words };
  }

  #below(node: number, segment: TemplateSegment): number {
    const next = this.#nodes.length / NODE_WORDS;
    let below: number;
    if (segment.kind === "literal") {
      below = this.#target({ owner: literalsOf(node), text: segment.text, target: next });
    } else {
      const at = node * NODE_WORDS + (segment.kind === "parameter" ? PARAMETER : REST);
      below = this.#nodes[at] || next;
      this.#nodes[at] = below;
    }
    if (below === next) this.#nodes.push(0, 0);
    return below;
  }

  /** Where the edge leads, which may be there already. */
  #target(edge: Edge): number {
    const key = `${edge.owner} ${edge.text}`;
    const known = this.#edges.get(key);
    if (known === undefined) this.#edges.set(key, edge);
    return (known ?? edge).target;
  }
}

interface Search {
  readonly index: PathIndex;
  readonly method: string;
  readonly segments: readonly string[];
  /** The rest stands for nothing, too, where no route ends. */
  readonly isRestOptional: boolean;
  readonly values: string[];
}

/** Whose row is asked for. */
export type Sought = Pick<Search, "method" | "segments"> & Partial<Pick<Search, "isRestOptional">>;

/**
 * Finds what a request comes to, by the order of `route-table.ts`; `undefined` = nothing. Comes to each
 * node of the tree once at most, whatever the path is.
 */
export function findRow(index: PathIndex, sought: Sought): FoundRow | undefined {
  const what: Search = { isRestOptional: false, ...sought, index, values: [] };
  const row = search(what, ROOT, 0);
  return row === NONE ? undefined : { row, values: what.values };
}

/** No node and no row. */
const NONE = -1;

function search(what: Search, node: number, at: number): number {
  const { index, segments, values } = what;
  const rest = index.nodes[node * NODE_WORDS + REST]!;
  const segment = segments[at];
  if (segment === undefined) {
    const own = rowAt(what, node);
    return own === NONE && what.isRestOptional && rest !== 0 ? rowAt(what, rest) : own;
  }
  const literal = follow(index, literalsOf(node), segment);
  if (literal !== NONE) {
    const found = search(what, literal, at + 1);
    if (found !== NONE) return found;
  }
  const parameter = index.nodes[node * NODE_WORDS + PARAMETER]!;
  if (parameter !== 0 && segment !== "") {
    values.push(segment);
    const found = search(what, parameter, at + 1);
    if (found !== NONE) return found;
    values.pop();
  }
  return rest === 0 ? NONE : rowAt(what, rest);
}

function rowAt({ index, method }: Search, node: number): number {
  const methods = methodsOf(node);
  const own = follow(index, methods, method);
  if (own !== NONE) return own;
  // Upstreams answer HEAD as they do GET.
  const get = method === "HEAD" ? follow(index, methods, "GET") : NONE;
  return get === NONE ? follow(index, methods, "*") : get;
}

function follow({ texts, edges }: PathIndex, owner: number, text: string): number {
  const mask = edges.length / EDGE_WORDS - 1;
  for (let slot = hashOf(owner, text) & mask; ; slot = (slot + 1) & mask) {
    const at = slot * EDGE_WORDS;
    if (edges[at] === 0) return NONE;
    const isSame = edges[at] === owner + 1 && edges[at + 2] === text.length;
    if (isSame && texts.startsWith(text, edges[at + 1])) return edges[at + 3]!;
  }
}

/** FNV-1a, with its bits spread at the end: the table looks at the low ones. */
function hashOf(owner: number, text: string): number {
  let hash = Math.imul(owner ^ 0x811c9dc5, 0x01000193);
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
