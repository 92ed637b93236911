import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonValue } from "../decision/json.ts";
import { type Reading, readDocument, readRules } from "./result.ts";

const nothing: Reading = {
  allows: false,
  denies: false,
  denyId: undefined,
  asksForMfa: false,
  reason: undefined,
  obligations: [],
};

const fires: JsonValue[] = [true, ["id"], [1], [null], [[]], { id: true }, { "": null }];
const silent: JsonValue[] = [false, [], {}];
const neither: JsonValue[] = [null, 0, 1, "", "true", "id"];

describe("readDocument()", () => {
  it("takes undefined for a deny", () => {
    expect(readDocument(undefined)).toEqual(nothing);
    expect(readDocument({})).toEqual(nothing);
    expect(readDocument({ required_permission: "agent:read" })).toEqual(nothing);
  });

  it("takes a boolean for the allow", () => {
    expect(readDocument(true)).toEqual({ ...nothing, allows: true });
    expect(readDocument(false)).toEqual(nothing);
  });

  it.each([null, 0, 1, "true", "", [], [true]])("can't read %j", (value) => {
    expect(readDocument(value)).toBeUndefined();
  });

  it.each([null, 0, 1, "true", [], [true], {}, { allow: true }])(
    "can't read allow: %j",
    (allow) => {
      expect(readDocument({ allow })).toBeUndefined();
      expect(readDocument({ allowed: allow })).toBeUndefined();
      expect(readDocument({ allow: true, allowed: allow })).toBeUndefined();
    },
  );

  it("allows only if every spelling of it does", () => {
    expect(readDocument({ allow: true })?.allows).toBe(true);
    expect(readDocument({ allowed: true })?.allows).toBe(true);
    expect(readDocument({ allow: true, allowed: true })?.allows).toBe(true);
    expect(readDocument({ allow: true, allowed: false })?.allows).toBe(false);
    expect(readDocument({ allow: false, allowed: true })?.allows).toBe(false);
  });

  it("takes nothing from a prototype", () => {
    expect(readDocument(Object.create({ allow: true }))).toEqual(nothing);
  });

  it.each(["deny", "denies"])("fires %s on true and on what has members", (name) => {
    for (const value of fires) expect(readDocument({ [name]: value })?.denies).toBe(true);
    for (const value of silent) expect(readDocument({ [name]: value })?.denies).toBe(false);
    for (const value of neither) expect(readDocument({ [name]: value })).toBeUndefined();
  });

  it("fires on either spelling of deny", () => {
    expect(readDocument({ deny: [], denies: ["a"] })).toMatchObject({ denies: true, denyId: "a" });
    expect(readDocument({ deny: true, denies: [] })?.denies).toBe(true);
    expect(readDocument({ deny: true, denies: ["a"] })?.denyId).toBe("a");
    expect(readDocument({ deny: [], denies: 1 })).toBeUndefined();
  });

  it("asks for MFA as deny fires", () => {
    for (const value of fires) expect(readDocument({ mfa_required: value })?.asksForMfa).toBe(true);
    for (const value of silent) {
      expect(readDocument({ mfa_required: value })?.asksForMfa).toBe(false);
    }
    for (const value of neither) expect(readDocument({ mfa_required: value })).toBeUndefined();
  });

  it("takes the first string for the id, or the first name of an object", () => {
    expect(readDocument({ deny: ["b", "a"] })?.denyId).toBe("b");
    expect(readDocument({ deny: [1, {}, "a"] })?.denyId).toBe("a");
    expect(readDocument({ deny: ["", " ", "a"] })?.denyId).toBe("a");
    expect(readDocument({ deny: { classification: "too high" } })?.denyId).toBe("classification");
    expect(readDocument({ deny: [1] })?.denyId).toBeUndefined();
    expect(readDocument({ deny: true })?.denyId).toBeUndefined();
  });

  it("keeps ids on one line, well-formed and short", () => {
    const idOf = (id: string) => readDocument({ deny: [id] })?.denyId;
    expect(idOf("a\r\nlevel=info\u0000\u2028b")).toBe("a level=info b");
    expect(idOf("\u202eevil")).toBe("evil");
    expect(idOf("\u200b")).toBeUndefined();
    expect(idOf("\ud800")).toBe("\ufffd");
    expect(idOf("x".repeat(10_000))).toHaveLength(128);
    expect(idOf(`${"x".repeat(127)}😀`)?.isWellFormed()).toBe(true);
  });

  it("reads a reason in its three forms", () => {
    expect(readDocument({ reason: "owner" })?.reason).toBe("owner");
    expect(readDocument({ reasons: ["owner", "other"] })?.reason).toBe("owner");
    expect(readDocument({ reasons: { owner: true } })?.reason).toBe("owner");
    expect(readDocument({ reason: null, reasons: [] })).toEqual(nothing);
    expect(readDocument({ allow: true, reason: 1 })).toBeUndefined();
  });

  it("reads obligations with and without properties", () => {
    const obligations = ["watermark", { type: "mask", properties: { fields: ["a"] } }];
    expect(readDocument({ allow: true, obligations })?.obligations).toEqual([
      { type: "watermark", properties: {} },
      { type: "mask", properties: { fields: ["a"] } },
    ]);
    expect(readDocument({ obligations: null })?.obligations).toEqual([]);
  });

  it.each([
    true,
    "watermark",
    { watermark: true },
    [1],
    [null],
    [{}],
    [{ type: 1 }],
    [{ type: "" }],
    [{ type: "a b" }],
    ["x".repeat(64)],
    [{ type: "mask", properties: [] }],
    [{ type: "mask", properties: null }],
    new Array<string>(33).fill("watermark"),
  ])("can't read obligations %j, rather than drop them from an allow", (obligations) => {
    expect(readDocument({ allow: true, obligations })).toBeUndefined();
  });
});

describe("readRules()", () => {
  const none = { allow: undefined, deny: undefined, mfaRequired: undefined };

  it("takes undefined rules for a deny", () => {
    expect(readRules(none)).toEqual(nothing);
  });

  it("reads each rule by itself", () => {
    expect(readRules({ allow: true, deny: ["a"], mfaRequired: true })).toEqual({
      ...nothing,
      allows: true,
      denies: true,
      denyId: "a",
      asksForMfa: true,
    });
  });

  it("can't read an allow that is a document", () => {
    for (const allow of [null, 1, "true", [], ["x"], {}, { allow: true }]) {
      expect(readRules({ ...none, allow })).toBeUndefined();
    }
  });

  it("can't read a deny or mfa_required that is a scalar", () => {
    for (const value of neither) {
      expect(readRules({ ...none, allow: true, deny: value })).toBeUndefined();
      expect(readRules({ ...none, allow: true, mfaRequired: value })).toBeUndefined();
    }
  });
});

/** Documents whose members are the known ones more often than not. */
const documents = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.dictionary(
    fc.constantFrom("allow", "allowed", "deny", "denies", "mfa_required", "reason", "obligations"),
    fc.oneof(
      fc.boolean(),
      fc.constantFrom<JsonValue>([], {}, ["a"], null),
      fc.jsonValue({ maxDepth: 2 }),
    ),
  ),
) as fc.Arbitrary<JsonValue>;

describe("every result", () => {
  it("allows only by exactly true", () => {
    fc.assert(
      fc.property(documents, (document) => {
        if (readDocument(document)?.allows !== true) return;
        const { allow, allowed } = document as Record<string, JsonValue>;
        const all = document === true ? [true] : [allow, allowed].filter((v) => v !== undefined);
        expect(all.length).toBeGreaterThan(0);
        expect(all.every((value) => value === true)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});
