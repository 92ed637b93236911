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

/** The object without members. */
export const emptyObject: JsonObject = Object.freeze(Object.create(null));
