import { readJson } from "../base/read-json.ts";
import type { JsonObject, JsonValue } from "../decision/json.ts";
import type { MfaRule } from "../decision/permission-set.ts";
import type { SubjectType } from "../decision/request.ts";

/** Who may be given a role: by hand only, groups too, or every user. */
export type AssignmentMode = "manual" | "group" | "default";

/** What a role demands of a request, and the limits it puts on what it gives. */
export interface Restrictions {
  readonly mfa: MfaRule;
  /** CIDR texts; empty = any address. */
  readonly ipWhitelist: readonly string[];
  readonly authentication: "mtls" | undefined;
  readonly limits: JsonObject;
}

/** A role, checked. Lists are sorted and without duplicates, so that equal roles look equal. */
export interface RoleRecord {
  readonly name: string;
  readonly description: string;
  readonly assignment: AssignmentMode;
  readonly permissions: readonly string[];
  readonly inheritsFrom: readonly string[];
  readonly restrictions: Restrictions;
}

/** What a group's members get, checked. Lists as in `RoleRecord`. */
export interface MappingRecord {
  readonly group: string;
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
}

/** A subject, checked. */
export interface SubjectRecord {
  readonly id: string;
  readonly type: SubjectType;
  readonly disabled: boolean;
  readonly attributes: Readonly<Record<string, JsonValue>>;
  /** Sorted. */
  readonly groups: readonly string[];
}

/** What an assignment gives: one role, or one pattern directly. */
export type Given =
  | { readonly kind: "role"; readonly role: string }
  | { readonly kind: "pattern"; readonly pattern: string };

/** Resource property → accepted values. */
export type Scope = Readonly<Record<string, readonly string[]>>;

/** One role or one pattern given to one subject. Identified by subject, what is given and scope. */
export interface AssignmentRecord {
  readonly subject: string;
  readonly given: Given;
  readonly scope: Scope | undefined;
  readonly expiresAtMs: number | undefined;
  readonly grantedBy: string | undefined;
  readonly reason: string | undefined;
}

/** Restrictions that restrict nothing. */
export const noRestrictions: Restrictions = Object.freeze({
  mfa: "none",
  ipWhitelist: Object.freeze([]) as readonly string[],
  authentication: undefined,
  limits: Object.freeze(Object.create(null)) as JsonObject,
});

/** Sorted by code unit, each once. */
export function sortedUnique(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}

/** JSON text with the keys of every object sorted, so that equal values have equal texts. */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const object = value as JsonObject;
  const members = Object.keys(object)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(object[name]!)}`);
  return `{${members.join(",")}}`;
}

/** Parses JSON text of ours into objects with a null prototype. */
export function parseJson(text: string): JsonValue {
  return readJson(text, (_, value) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? withoutPrototype(value as object)
      : value,
  ) as JsonValue;
}

function withoutPrototype(object: object): object {
  // Object.assign would run the `__proto__` setter of neither side: the target has none.
  return Object.assign(Object.create(null), object) as object;
}
