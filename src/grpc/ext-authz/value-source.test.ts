import { describe, expect, it } from "vitest";
import { httpCheck } from "../../../test/support/http-check.ts";
import type { InputValue } from "../../pipeline/pipeline.ts";
import { parseValueSource } from "./value-source.ts";

const hash = "ab".repeat(32);
const request = httpCheck({
  attributes: {
    metadataContext: {
      filterMetadata: {
        "envoy.filters.http.jwt_authn": { payload: { sub: "u1", aud: ["a"] } },
      },
    },
  },
  path: "/agents/a1",
  // As they are decoded: without a prototype.
  headers: Object.assign(Object.create(null), {
    ...{ "x-owner": "u2", empty: "", "x-forwarded-client-cert": `Hash=${hash};URI=spiffe://web` },
  }),
  sourcePrincipal: "spiffe://mesh/web",
});
const body: InputValue = {
  agent: { owner: "u3", size: 7, big: 10n ** 20n, part: 0.5, is: true, list: ["x"], none: null },
};
Object.assign(body["agent"] as object, {
  ...{ two: ["a", "b"], empty: [], spelt: "public", SPELT: "secret", deep: { a: "b" }, form: "a" },
  "FORM[]": ["b"],
});
const take = (text: string) =>
  parseValueSource(text)({
    ...{ request, body: () => body },
    parameters: new Map([["id", "a1"]]),
  });

describe("parseValueSource()", () => {
  it.each([
    ["path/id", "a1"],
    ["path/other", undefined],
    ["header/X-Owner", "u2"],
    ["header/empty", undefined],
    ["header/absent", undefined],
    ["header/constructor", undefined],
    ["body/agent/owner", "u3"],
    ["body/agent/size", "7"],
    ["body/agent/big", "100000000000000000000"],
    ["body/constructor/name", undefined],
    ["metadata/envoy.filters.http.jwt_authn/payload/sub", "u1"],
    ["metadata/other/payload/sub", undefined],
    ["principal", "spiffe://mesh/web"],
    ["xfcc/uri", "spiffe://web"],
    ["xfcc/dns", undefined],
  ])("takes %s: %o", (text, value) => {
    expect(take(text)).toBe(value);
  });

  it.each([
    ...["part", "is", "none", "two", "empty", "owner/length", "list/0", "Owner", "li\u017ft"],
    ...["spelt", "spelT", "deep", "OWNER/x", "list", "form"],
  ])("refuses body/agent/%s, which is there and is not one text", (name) => {
    const field = `attributes.request.http.body.agent.${name.replaceAll("/", ".")}`;
    const why = "is not one text or whole number, and the route takes it";
    expect(() => take(`body/agent/${name}`)).toThrow(`${field}: ${why}`);
  });

  it("takes no field of a certificate where the peer's name looks like several", () => {
    const sourcePrincipal = "spiffe://x/me,URI=spiffe://x/admin";
    const facts = {
      request: { ...request, sourcePrincipal },
      body: () => body,
      parameters: new Map(),
    };
    expect(() => parseValueSource("xfcc/uri")(facts)).toThrow(
      "attributes.source.principal: has one",
    );
    expect(parseValueSource("principal")(facts)).toBe(sourcePrincipal);
  });

  it("takes nothing beside a name that can't be compared", () => {
    const facts = { request, parameters: new Map(), body: () => ({ a: "x", [long]: 1 }) };
    const long = "\u0301\u0323".repeat(129);
    expect(() => parseValueSource("body/a")(facts)).toThrow("body.a: is not one text");
  });

  it("refuses what metadata has and is not one text", () => {
    const aud = "envoy.filters.http.jwt_authn/payload/aud";
    expect(() => take(`metadata/${aud}`)).toThrow(
      `attributes.metadata_context.filter_metadata.${aud.replaceAll("/", ".")}: is not one text`,
    );
  });

  it.each([
    ...[
      "",
      "id",
      "path",
      "path/",
      "path/a/b",
      "header",
      "header/a/b",
      "body",
      "body//a",
      "cookie/a",
    ],
    ...["metadata/namespace", "principal/uri", "xfcc", "xfcc/by", "xfcc/uri/a", "constructor/a"],
    `body${"/a".repeat(17)}`,
  ])("refuses %o, and says what there is", (text) => {
    expect(() => parseValueSource(text)).toThrow(/ is no source; expected path\/<parameter>, /);
  });
});
