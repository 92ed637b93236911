import type { JsonValue } from "../decision/json.ts";

/**
 * Orders values as Rego does: null, booleans, numbers, strings, arrays, objects. Sets count as the
 * arrays they have become.
 */
export function compareInRegoOrder(a: JsonValue, b: JsonValue): number {
  const kind = kindOf(a);
  const difference = kind - kindOf(b);
  if (difference !== 0) return difference;
  switch (kind) {
    case KIND_NULL:
      return 0;
    case KIND_BOOLEAN:
      return Number(a) - Number(b);
    case KIND_NUMBER:
      return (a as number) < (b as number) ? -1 : Number(a !== b);
    case KIND_STRING:
      return compareStrings(a as string, b as string);
    case KIND_ARRAY:
      return compareArrays(a as readonly JsonValue[], b as readonly JsonValue[]);
    default:
      return compareObjects(a as JsonMembers, b as JsonMembers);
  }
}

type JsonMembers = { readonly [name: string]: JsonValue };

const KIND_NULL = 0;
const KIND_BOOLEAN = 1;
const KIND_NUMBER = 2;
const KIND_STRING = 3;
const KIND_ARRAY = 4;
const KIND_OBJECT = 5;

function kindOf(value: JsonValue): number {
  if (value === null) return KIND_NULL;
  switch (typeof value) {
    case "boolean":
      return KIND_BOOLEAN;
    case "number":
      return KIND_NUMBER;
    case "string":
      return KIND_STRING;
    default:
      return Array.isArray(value) ? KIND_ARRAY : KIND_OBJECT;
  }
}

/** By UTF-8 bytes, which is by code points: UTF-16 order differs where surrogates are. */
function compareStrings(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index += 1) {
    if (a.charCodeAt(index) !== b.charCodeAt(index)) {
      return a.codePointAt(index)! - b.codePointAt(index)!;
    }
  }
  return a.length - b.length;
}

function compareArrays(a: readonly JsonValue[], b: readonly JsonValue[]): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index += 1) {
    const difference = compareInRegoOrder(a[index]!, b[index]!);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Member by member in the order of names: name first, then value; then by the count. */
function compareObjects(a: JsonMembers, b: JsonMembers): number {
  const aNames = Object.keys(a).sort(compareStrings);
  const bNames = Object.keys(b).sort(compareStrings);
  const shared = Math.min(aNames.length, bNames.length);
  for (let index = 0; index < shared; index += 1) {
    const aName = aNames[index]!;
    const bName = bNames[index]!;
    const difference = compareStrings(aName, bName) || compareInRegoOrder(a[aName]!, b[bName]!);
    if (difference !== 0) return difference;
  }
  return aNames.length - bNames.length;
}
