import type { SetKey } from "./cache.ts";

/**
 * The key as one string. The length in front keeps adjacent fields apart whatever they contain, so
 * no two keys ever share a string.
 */
export function encodeKey(key: SetKey): string {
  return `${key.application.length}:${key.application}${key.subjectId}`;
}
