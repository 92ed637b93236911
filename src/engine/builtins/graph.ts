import { type Term, type TermObject, TermSet, termSet } from "../term-value.ts";
import { type BuiltinFamily, BuiltinLimit, type TakeSteps } from "./builtin.ts";
import { checkItems, TURN_STEPS } from "./limits.ts";
import { asCollection, asObject, isArray } from "./operands.ts";

/** Longest path that is followed: bounds recursion. */
const PATH_MAX = 1000;

/** Walks in a graph, which is an object from a node to its neighbours. */
export const graphBuiltins: BuiltinFamily = {
  "graph.reachable_paths": ([graph, initial], { takeSteps }) =>
    reachablePaths(asObject(graph), asCollection(initial), takeSteps),
};

/** All paths without a cycle. Each ends before a node that is not in the graph or on the path. */
function reachablePaths(graph: TermObject, initial: readonly Term[], takeSteps: TakeSteps): Term {
  const paths: Term[] = [];
  const path: Term[] = [];
  const timesOnPath = new Uint8Array(graph.keys.length);
  const keep = (): void => {
    for (const node of path) takeSteps(TURN_STEPS + lengthOf(node));
    paths.push([...path]);
    checkItems(paths.length);
  };
  const follow = (node: Term, onNeighbour: (neighbour: Term) => void): void => {
    // A name is looked up twice, among names that may differ in nothing but their ends.
    takeSteps(TURN_STEPS + lengthOf(node));
    const index = graph.indexOf(node);
    if (index < 0) {
      keep();
      return;
    }
    if (path.length === PATH_MAX) throw new BuiltinLimit(`a path of more than ${PATH_MAX} nodes`);
    path.push(node);
    timesOnPath[index]! += 1;
    const neighbours = neighboursOf(graph.values[index]!);
    if (neighbours.length === 0) keep();
    neighbours.forEach(onNeighbour);
    timesOnPath[index]! -= 1;
    path.pop();
  };
  const visit = (node: Term): void => {
    if (timesOnPath[graph.indexOf(node)]) keep();
    else follow(node, visit);
  };
  for (const start of initial) {
    if (graph.indexOf(start) < 0) continue;
    // OPA does not look for a cycle in the first step: a start that leads to itself comes twice.
    follow(start, (neighbour) => follow(neighbour, visit));
  }
  return termSet(paths);
}

function lengthOf(node: Term): number {
  return typeof node === "string" ? node.length : 0;
}

function neighboursOf(edges: Term): readonly Term[] {
  if (edges instanceof TermSet) return edges.items;
  return isArray(edges) ? edges : [];
}
