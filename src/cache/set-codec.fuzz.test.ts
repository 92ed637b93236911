import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonValue } from "../decision/json.ts";
import { type PermissionSet, reservedAttributes } from "../decision/permission-set.ts";
import { createSeal, SEAL_BYTES } from "./seal.ts";
import { decodeSet, encodeSet, type SetPlace, type StoredSet } from "./set-codec.ts";

// Sets are plain objects; those that come from outside have no prototype.
const record = <T>(members: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(members, { noNullPrototype: true });
const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom("__proto__", "constructor", "toString", "", "\ud800", "\\", "\n", "admin"),
);
const texts = fc.array(text, { maxLength: 4 });
const withoutPrototype = <T extends object>(value: T): T =>
  Object.assign(Object.create(null), value);
const json = fc.jsonValue({ maxDepth: 3 }).map(copyWithoutPrototypes);
const attributes = fc
  .dictionary(
    text.filter((name) => !reservedAttributes.has(name)),
    json,
    { maxKeys: 4 },
  )
  .map(withoutPrototype);
const instant = fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined });

const permissionSet: fc.Arbitrary<PermissionSet> = record({
  application: text,
  subject: record({ id: text, type: fc.constantFrom("user" as const, "service" as const) }),
  status: fc.constantFrom("active" as const, "unknown" as const, "disabled" as const),
  attributes,
  groups: texts,
  classes: fc.array(
    record({
      conditions: record({
        expiresAtMs: instant,
        scope: fc.option(fc.dictionary(text, texts, { maxKeys: 2 }).map(withoutPrototype), {
          nil: undefined,
        }),
        ipWhitelists: fc.array(texts, { maxLength: 2 }),
        authentication: fc.constantFrom("mtls" as const, undefined),
        mfa: fc.constantFrom("required" as const, "recommended" as const, "none" as const),
      }),
      grants: fc.array(
        record({
          source: fc.constantFrom("manual" as const, "group" as const, "default" as const),
          path: texts,
          role: fc.option(text, { nil: undefined }),
          patterns: fc.array(text, { maxLength: 20 }),
          limits: attributes,
        }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 3 },
  ),
  generation: fc.nat(),
  validUntilMs: instant,
});
const stored = record({ set: permissionSet, knownAtRedisMs: fc.integer({ min: 0, max: 4e12 }) });

const placeOf = ({ set }: StoredSet): SetPlace => ({
  name: `postern:${set.application.length}:${set.application}${set.subject.id}`,
  key: { application: set.application, subjectId: set.subject.id },
  seal: createSeal("a key of the operator's"),
  bytesMax: 65_536,
});

describe("decodeSet()", () => {
  it("gives back what was encoded, and only objects without a prototype", () => {
    fc.assert(
      fc.property(stored, (value) => {
        const decoded = decodeSet(encodeSet(value, placeOf(value))!, placeOf(value));
        // The matchers take a member called "constructor" for the object's own.
        expect(isDeepStrictEqual(decoded, value)).toBe(true);
        const { set } = decoded as StoredSet;
        for (const object of [set.attributes, ...set.classes.map((one) => one.conditions.scope)]) {
          if (object !== undefined) expect(Object.getPrototypeOf(object)).toBeNull();
        }
      }),
      { numRuns: 500 },
    );
  });

  it("gives no set for bytes that were cut, altered, added to or moved", () => {
    const damage = fc.oneof(
      record({ kind: fc.constant("cut"), at: fc.nat(), bit: fc.nat() }),
      record({ kind: fc.constant("flip"), at: fc.nat(), bit: fc.nat() }),
      record({ kind: fc.constant("add"), at: fc.nat(), bit: fc.nat() }),
      record({ kind: fc.constant("move"), at: fc.nat(), bit: fc.nat() }),
    );
    fc.assert(
      fc.property(stored, damage, (value, { kind, at, bit }) => {
        const place = placeOf(value);
        const bytes = encodeSet(value, place)!;
        if (kind === "move") {
          const key = { ...place.key, subjectId: `${place.key.subjectId}x` };
          expect(typeof decodeSet(bytes, { ...place, key })).toBe("string");
          expect(decodeSet(bytes, { ...place, name: `${place.name}x` })).toBe("tampered");
          return;
        }
        if (kind === "flip") bytes[at % bytes.length]! ^= 1 << (bit % 8);
        const cut = kind === "cut" ? bytes.subarray(0, at % bytes.length) : bytes;
        const altered = kind === "add" ? Buffer.concat([bytes, Buffer.alloc(1 + (at % 40))]) : cut;
        expect(typeof decodeSet(altered, place)).toBe("string");
      }),
      { numRuns: 1_000 },
    );
  });

  it("gives no set for what is sealed and is none", () => {
    const shape = fc.oneof(
      fc.json({ maxDepth: 4 }),
      stored.chain(({ set }) => {
        const whole = [set.application, set.subject.id, "user", "active", [], [], null, []];
        return fc
          .tuple(fc.nat(whole.length - 1), fc.oneof(fc.jsonValue(), fc.constant(undefined)))
          .map(([at, other]) => JSON.stringify(whole.with(at, other as never)));
      }),
      fc.constant(`["a","b","user","active",["roles",[0,"admin"]],[],null,[]]`),
      fc.constant(`["a","b","user","active",${"[".repeat(500)}${"]".repeat(500)},[],null,[]]`),
    );
    fc.assert(
      fc.property(shape, (payload) => {
        const place = placeOf({ set: { application: "a", subject: { id: "b" } } } as StoredSet);
        const content = Buffer.from(`PS1-${"0".repeat(32)}${payload}`);
        const decoded = decodeSet(
          Buffer.concat([content, place.seal.of(place.name, content)]),
          place,
        );
        if (typeof decoded === "string") return;
        // By chance, it is the shape of a set: then of exactly this one, with nothing in it.
        expect(decoded.set).toMatchObject({ application: "a", subject: { id: "b" } });
        expect(decoded.set.classes).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });

  it("does not inflate a bomb, nor read what is not even a header", () => {
    const value = { application: "a", subject: { id: "b" } };
    const place = { ...placeOf({ set: value } as StoredSet), bytesMax: 1_024 };
    const big = { ...emptySet, groups: ["x".repeat(100_000)] };
    expect(encodeSet({ set: big, knownAtRedisMs: 0 }, place)).toBeUndefined();
    const roomy = { ...place, bytesMax: 65_536 };
    const bomb = encodeSet({ set: big, knownAtRedisMs: 0 }, roomy)!;
    expect(bomb.length).toBeLessThan(1_024);
    expect(decodeSet(bomb, roomy)).toMatchObject({ knownAtRedisMs: 0 });
    expect(decodeSet(bomb, place)).toBe("corrupt");
    expect(decodeSet(Buffer.alloc(0), place)).toBe("truncated");
    expect(decodeSet(Buffer.from(`PS2${"x".repeat(100)}`), place)).toBe("newer-schema");
    expect(decodeSet(Buffer.alloc(36 + SEAL_BYTES), place)).toBe("foreign");
  });
});

const emptySet: PermissionSet = {
  application: "a",
  subject: { id: "b", type: "user" },
  status: "active",
  attributes: Object.create(null),
  groups: [],
  classes: [],
  generation: 1,
  validUntilMs: undefined,
};

/** As the directory reads JSON texts, which have no negative zero. */
function copyWithoutPrototypes(value: unknown): JsonValue {
  if (value === 0) return 0;
  if (value === null || typeof value !== "object") return value as JsonValue;
  if (Array.isArray(value)) return value.map(copyWithoutPrototypes);
  const copy: Record<string, JsonValue> = Object.create(null);
  for (const [name, member] of Object.entries(value)) copy[name] = copyWithoutPrototypes(member);
  return copy;
}
