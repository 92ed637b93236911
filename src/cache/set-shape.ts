import { emptyObject, type JsonObject, type JsonValue } from "../decision/json.ts";
import {
  type ConditionClass,
  type Conditions,
  type GrantPath,
  type PermissionSet,
  reservedAttributes,
} from "../decision/permission-set.ts";

/** A permission set without its generation, as arrays alone: half the size of named members. */
export type SetShape = readonly JsonValue[];

/** The shape of a set. */
export function shapeOfSet(set: PermissionSet): SetShape {
  return [
    set.application,
    set.subject.id,
    set.subject.type,
    set.status,
    pairs(set.attributes, shapeOfJson),
    set.groups,
    set.validUntilMs ?? null,
    set.classes.map(({ conditions, grants }) => [
      conditions.expiresAtMs ?? null,
      conditions.scope === undefined ? null : pairs(conditions.scope, (values) => values),
      conditions.ipWhitelists,
      conditions.authentication ?? null,
      conditions.mfa,
      grants.map(({ source, path, role, patterns, limits }) => [
        source,
        path,
        role ?? null,
        patterns,
        pairs(limits, shapeOfJson),
      ]),
    ]),
  ];
}

/**
 * The set that has this shape; throws a `TypeError` where anything is missing, of another type or
 * one too many. Nothing of `shape` is part of the result: every object in it has a null prototype.
 */
export function setOfShape(shape: unknown, generation: number): PermissionSet {
  const [application, id, type, status, attributes, groups, validUntilMs, classes] = tuple(
    shape,
    8,
  );
  return {
    application: text(application),
    subject: { id: text(id), type: oneOf(type, SUBJECT_TYPES) },
    status: oneOf(status, STATUSES),
    attributes: readAttributes(attributes),
    groups: list(groups, text),
    classes: list(classes, readClass),
    generation,
    validUntilMs: optional(validUntilMs, instant),
  };
}

const SUBJECT_TYPES = ["user", "service"] as const;
const STATUSES = ["active", "unknown", "disabled"] as const;
const SOURCES = ["manual", "group", "claim", "scim", "default"] as const;
const MFA_RULES = ["required", "recommended", "none"] as const;
/** Deeper than any value that a directory takes. */
const DEPTH_MAX = 100;

function readAttributes(value: unknown): PermissionSet["attributes"] {
  const attributes = record(value, json);
  for (const name of reservedAttributes) {
    if (Object.hasOwn(attributes, name)) throw new TypeError("an attribute has a reserved name");
  }
  return attributes;
}

function readClass(shape: unknown): ConditionClass {
  const [expiresAtMs, scope, ipWhitelists, authentication, mfa, grants] = tuple(shape, 6);
  const conditions: Conditions = {
    expiresAtMs: optional(expiresAtMs, instant),
    scope: optional(scope, (value) => record(value, texts)),
    ipWhitelists: list(ipWhitelists, texts),
    authentication: optional(authentication, (value) => oneOf(value, ["mtls"] as const)),
    mfa: oneOf(mfa, MFA_RULES),
  };
  return { conditions, grants: list(grants, readGrant) };
}

function readGrant(shape: unknown): GrantPath {
  const [source, path, role, patterns, limits] = tuple(shape, 5);
  return {
    source: oneOf(source, SOURCES),
    path: list(path, text),
    role: optional(role, text),
    patterns: list(patterns, text),
    limits: record(limits, json),
  };
}

function tuple(value: unknown, length: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length) throw new TypeError("not a tuple");
  return value;
}

function list<T>(value: unknown, item: (value: unknown) => T): readonly T[] {
  if (!Array.isArray(value)) throw new TypeError("not a list");
  // `map` alone would hand over index and array.
  return value.map((member) => item(member));
}

function texts(value: unknown): readonly string[] {
  return list(value, text);
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("not a text");
  return value;
}

function instant(value: unknown): number {
  if (!Number.isFinite(value)) throw new TypeError("not an instant");
  return value as number;
}

function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === null ? undefined : read(value);
}

function oneOf<T extends string>(value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new TypeError("not one of the known values");
  return found;
}

/** Names and values by turns. */
function pairs<T>(
  record: Readonly<Record<string, T>>,
  shape: (value: T) => JsonValue,
): JsonValue[] {
  return Object.entries(record).flatMap(([name, value]) => [name, shape(value)]);
}

function record<T>(value: unknown, member: (value: unknown) => T): Readonly<Record<string, T>> {
  if (!Array.isArray(value) || value.length % 2 !== 0) throw new TypeError("not pairs");
  // Most are empty, and an object without a prototype takes a hundred bytes.
  if (value.length === 0) return emptyObject as Readonly<Record<string, never>>;
  const copy: Record<string, T> = Object.create(null);
  for (let at = 0; at < value.length; at += 2) copy[text(value[at])] = member(value[at + 1]);
  return copy;
}

/** Lists as `[0, …]`, objects as `[1, …pairs]`, everything else as it is. */
function shapeOfJson(value: JsonValue): JsonValue {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return [LIST, ...value.map(shapeOfJson)];
  return [OBJECT, ...pairs(value as JsonObject, shapeOfJson)];
}

const LIST = 0;
const OBJECT = 1;

function json(value: unknown): JsonValue {
  return jsonAt(value, 0);
}

function jsonAt(value: unknown, depth: number): JsonValue {
  if (depth > DEPTH_MAX) throw new TypeError("nested too deep");
  if (value === null || typeof value !== "object") return value as JsonValue;
  if (!Array.isArray(value)) throw new TypeError("not a shape");
  const [kind, ...rest] = value as readonly unknown[];
  const inner = (member: unknown): JsonValue => jsonAt(member, depth + 1);
  if (kind === LIST) return rest.map(inner);
  if (kind === OBJECT) return record(rest, inner) as JsonObject;
  throw new TypeError("not a shape");
}
