import type { Catalogue } from "../decision/catalogue.ts";
import { patternCovers } from "../decision/names.ts";
import type { GrantPath } from "../decision/permission-set.ts";

/** The four patterns that can cover a permission, the most specific first. */
export type CoveringPatterns = readonly [string, string, string, string];

/** Which patterns cover `resource:action`. */
export function coveringPatterns(resource: string, action: string): CoveringPatterns {
  return [`${resource}:${action}`, `${resource}:*`, `*:${action}`, "*:*"];
}

/** The most specific pattern of the grant among `covering`. */
export function coveringPattern(grant: GrantPath, covering: CoveringPatterns): string | undefined {
  return covering.find((pattern) => grant.patterns.includes(pattern));
}

/** Adds to `found` every permission of the catalogue that a pattern covers. */
export function addCovered(
  found: Set<string>,
  patterns: Iterable<string>,
  catalogue: Catalogue,
): void {
  for (const pattern of patterns) {
    if (catalogue.permissions.has(pattern)) found.add(pattern);
    else if (pattern.includes("*")) addWildcard(found, pattern, catalogue);
  }
}

function addWildcard(found: Set<string>, pattern: string, catalogue: Catalogue): void {
  for (const [permission, { resource, action }] of catalogue.permissions) {
    if (patternCovers(pattern, resource, action)) found.add(permission);
  }
}
