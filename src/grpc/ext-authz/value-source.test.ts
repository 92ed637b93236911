import { describe, expect, it } from "vitest";
import { httpCheck } from "../../../test/support/http-check.ts";
import { NumberText } from "../../decision/number-text.ts";
import type { InputValue } from "../../pipeline/pipeline.ts";
import type { HttpCheck } from "./check-request.ts";
import type { RouteBody } from "./route-body.ts";
import { parseValueSource, type RequestFacts } from "./value-source.ts";

const hash = "ab".repeat(32);
const request = httpCheck({
  attributes: {
    metadataContext: {
      filterMetadata: {
        "envoy.filters.http.jwt_authn": { payload: { sub: "u1", aud: ["a"], none: "" } },
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
  agentName: { blank: " x", said: "" },
};
Object.assign(body["agent"] as object, {
  ...{ two: ["a", "b"], empty: [], spelt: "public", SPELT: "secret", deep: { a: "b" }, minus: -0 },
  precise: new NumberText("0.99999999999999999999"),
});
const bodyOf = (value: InputValue, given: Partial<RouteBody> = {}) => {
  return (): RouteBody => ({ value, names: "json", query: {}, isReplaced: false, ...given });
};
const factsOf = (given: Partial<RequestFacts> = {}): RequestFacts => ({
  ...{ request, body: bodyOf(body), parameters: new Map([["id", "a1"]]), ...given },
});
const take = (text: string, given?: Partial<RequestFacts>) =>
  parseValueSource(text)(factsOf(given));
/** The same request with other headers. */
const withHeaders = (headers: HttpCheck["headers"], more: Partial<HttpCheck> = {}) => {
  return { request: httpCheck({ headers, ...more }) };
};

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
    ["body/constructor/name", undefined],
    ["metadata/envoy.filters.http.jwt_authn/payload/sub", "u1"],
    ["metadata/other/payload/sub", undefined],
    ["metadata/envoy.filters.http.jwt_authn/payload/none", undefined],
    ["principal", "spiffe://mesh/web"],
    ["xfcc/uri", "spiffe://web"],
    ["xfcc/dns", undefined],
  ])("takes %s: %o", (text, value) => {
    expect(take(text)).toBe(value);
  });

  it.each([
    ...["part", "is", "none", "two", "empty", "owner/length", "list/0", "Owner", "li\u017ft"],
    ...["spelt", "spelT", "deep", "OWNER/x", "list", "big", "minus", "own_er"],
    ...["precise", "precise/text", "precise/other"],
  ])("refuses body/agent/%s, which is there and is not one text", (name) => {
    const field = `attributes.request.http.body.agent.${name.replaceAll("/", ".")}`;
    const why =
      "can't be read for sure, and the route takes it; expected one text, or a whole number";
    expect(() => take(`body/agent/${name}`)).toThrow(`${field}: ${why}`);
  });

  it.each([
    ["agentName/blank", "begins or ends with a blank"],
    ["agentName/said", "is empty; expected one text"],
    ["agent_name/said", "can't be read for sure"],
  ])("refuses body/%s: it %s", (name, why) => {
    const field = `attributes.request.http.body.${name.replaceAll("/", ".")}`;
    expect(() => take(`body/${name}`)).toThrow(`${field}: ${why}`);
  });

  it("takes nothing from a body that the query has, too, in any spelling", () => {
    for (const name of ["owner", "Owner", "owner[]", "own.er", " owner"]) {
      const given = { body: bodyOf({}, { query: { [name]: ["u9"] } }) };
      const why = 'attributes.request.http.path: "owner" stands in the query, too';
      expect(() => take("body/owner", given)).toThrow(why);
      expect(take("body/other", given)).toBeUndefined();
    }
  });

  it("takes no header with a comma, which may be two", () => {
    const given = withHeaders({ "x-owner": "u1,u2", "x-other": "u1" });
    const why =
      "attributes.request.http.headers.x-owner: has a comma, and may be two headers in one";
    expect(() => take("header/x-owner", given)).toThrow(why);
    expect(take("header/x-other", given)).toBe("u1");
  });

  it.each([
    ...[" u1", "u1\t", "\u00a0u1", "u1\u200b", "\ufeffu1", "u1\u3164", "u1\u2003", "\u00adu1"],
    ...["u\x001", "u1\n", "u\r\n1", "u\ufffd"],
  ])("takes no %j, from wherever it is", (text) => {
    const places: [string, string, Partial<RequestFacts>][] = [
      ["path/id", "path", { parameters: new Map([["id", text]]) }],
      ["header/x-a", "headers.x-a", withHeaders({ "x-a": text })],
      ["body/a", "body.a", { body: bodyOf({ a: text }) }],
    ];
    for (const [source, field, given] of places) {
      expect(() => take(source, given)).toThrow(
        expect.objectContaining({
          kind: "invalid-argument",
          message: expect.stringMatching(/: (?:begins or ends with|has a control)/),
          field: `attributes.request.http.${field}`,
        }),
      );
    }
    const peer = withHeaders({}, { sourcePrincipal: text });
    expect(() => take("principal", peer)).toThrow(/^attributes\.source\.principal: /);
    const filterMetadata = { a: { b: text } };
    const claim = withHeaders({}, { attributes: { metadataContext: { filterMetadata } } });
    expect(() => take("metadata/a/b", claim)).toThrow(/filter_metadata\.a\.b: /);
  });

  it("takes no mark that Envoy may have written for something else", () => {
    const given = withHeaders({ "x-a": "u1!" });
    const why = 'has a "!", which Envoy writes for what is not UTF-8; expected a text without';
    expect(() => take("header/x-a", given)).toThrow(`attributes.request.http.headers.x-a: ${why}`);
    const path = { parameters: new Map([["id", "u1!"]]) };
    expect(() => take("path/id", { ...path, request: httpCheck({ path: "/u1!" }) })).toThrow(why);
    expect(take("path/id", { ...path, request: httpCheck({ path: "/u1%21?!" }) })).toBe("u1!");
    const replaced = { body: bodyOf({ a: "u1!" }, { isReplaced: true }) };
    expect(() => take("body/a", replaced)).toThrow(`attributes.request.http.body.a: ${why}`);
    expect(take("body/a", { body: bodyOf({ a: "u1!" }) })).toBe("u1!");
  });

  it("takes texts of any script, with blanks between", () => {
    const text = "Zo\u00eb \u674e, \ud83d\ude00";
    expect(take("body/a", { body: bodyOf({ a: text }) })).toBe(text);
  });

  it("takes no field of a certificate where the peer's name looks like several", () => {
    const sourcePrincipal = "spiffe://x/me,URI=spiffe://x/admin";
    const facts = factsOf({ request: { ...request, sourcePrincipal } });
    expect(() => parseValueSource("xfcc/uri")(facts)).toThrow(
      "attributes.source.principal: has one",
    );
    expect(parseValueSource("principal")(facts)).toBe(sourcePrincipal);
  });

  it("takes nothing beside a name that can't be compared", () => {
    const long = "\u0301\u0323".repeat(129);
    const given = { body: bodyOf({ a: "x", [long]: 1 }) };
    expect(() => take("body/a", given)).toThrow("body.a: can't be read for sure");
  });

  it("refuses what metadata has and is not one text", () => {
    const aud = "envoy.filters.http.jwt_authn/payload/aud";
    expect(() => take(`metadata/${aud}`)).toThrow(
      `attributes.metadata_context.filter_metadata.${aud.replaceAll("/", ".")}: can't be read`,
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
