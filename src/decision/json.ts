/**
 * A JSON value. Objects that come from outside have a null prototype, so that `__proto__` and
 * `constructor` are names like any other.
 */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** A JSON object with a null prototype. */
export type JsonObject = { readonly [name: string]: JsonValue };

/**
 * Makes objects that inherit nothing, so that `__proto__` is a name like any other. Unlike those of
 * `Object.create(null)` they are not hash tables, which take four times as long to fill: for names
 * that are the program's own, not for any that come from outside.
 */
export const Members = (() => {
  function Members() {}
  Members.prototype = Object.freeze(Object.create(null));
  return Members as unknown as new <Value>() => { [name: string]: Value };
})();

/** The object without members. */
export const emptyObject: JsonObject = Object.freeze(Object.create(null));

/** Whether the value is an object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !isJsonList(value);
}

/** `Array.isArray`, which does not narrow a readonly array away from the other kinds. */
export function isJsonList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** An own member, so that `constructor` is a name like any other. */
export function ownMember(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
