/**
 * How Rego values lie in linear memory (OPA `wasm/src/value.h`, little endian, 32-bit pointers),
 * the same from ABI 1.0 on. OPA doesn't promise it, so `layout-self-test.ts` has each module prove
 * it before it may serve.
 *
 * - every value: type u8@0
 * - boolean: value u8@1
 * - number: representation u8@1; either i64@8, or decimal text: pointer@8, length@12; 24 bytes
 * - string: is-freed u8@1, length@4, pointer@8; 12 bytes
 * - array: elements@4, length@8, capacity@12; 16 bytes; element: index value@0, value@4; 8 bytes
 * - object: buckets@4, bucket count@8, length@12; 16 bytes; element: key@0, value@4, next@8
 * - set: as the object; element: value@0, next@4
 */

/** The type byte. Interned values are those no one frees or copies, such as constants. */
export const ValueType = {
  null: 1,
  boolean: 2,
  number: 3,
  string: 4,
  array: 5,
  object: 6,
  set: 7,
  internedString: 8,
  internedBoolean: 9,
} as const;

/** A number's representation byte. */
export const NumberRepr = { integer: 1, text: 2 } as const;

export const BUCKETS_MIN = 8;
/** A table grows by doubling before it is fuller than this. */
export const LOAD_FACTOR = 0.7;
/** Start value of the hash. */
export const HASH_INIT = 0x811c9dc5;
/** FNV-1's prime. */
export const HASH_PRIME = 0x01000193;
