import type { RoleRecord } from "./records.ts";

/** Longest chain of inheritance. Real ones have five levels; it bounds recursion and paths. */
const INHERITANCE_DEPTH_MAX = 32;

type Parents = ReadonlyMap<string, Pick<RoleRecord, "inheritsFrom">>;

/**
 * The names along a cycle of inheritance, the first repeated at the end (`a`, `b`, `a`), or along
 * a chain that is too long; `undefined` if there is neither. Parents that don't exist end a chain.
 */
export function findCycle(roles: Parents): readonly string[] | undefined {
  const heights = new Map<string, number>();
  const trail: string[] = [];
  let found: readonly string[] | undefined;

  const visit = (name: string): number => {
    const known = heights.get(name);
    if (known !== undefined) return known;
    const start = trail.indexOf(name);
    if (start !== -1 || trail.length > INHERITANCE_DEPTH_MAX) {
      found ??= [...trail.slice(Math.max(start, 0)), name];
      return 0;
    }
    trail.push(name);
    let height = 1;
    for (const parent of roles.get(name)?.inheritsFrom ?? []) {
      if (found === undefined) height = Math.max(height, visit(parent) + 1);
    }
    trail.pop();
    heights.set(name, height);
    return height;
  };

  for (const name of roles.keys()) {
    if (visit(name) > INHERITANCE_DEPTH_MAX + 1 && found === undefined) found = longest(name);
    if (found !== undefined) return found;
  }
  return undefined;

  function longest(name: string): readonly string[] {
    const parents = roles.get(name)?.inheritsFrom ?? [];
    const next = parents.toSorted((a, b) => (heights.get(b) ?? 0) - (heights.get(a) ?? 0))[0];
    return next === undefined ? [name] : [name, ...longest(next)];
  }
}
