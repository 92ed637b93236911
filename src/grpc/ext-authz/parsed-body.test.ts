import { describe, expect, it } from "vitest";
import { type BodySource, parseBody } from "./parsed-body.ts";

const empty: BodySource = {
  headers: {},
  body: "",
  rawBody: new Uint8Array(),
  path: { parsedPath: ["a"] },
  protoset: undefined,
};
const nothing = { parsedBody: null, isTruncated: false };
const truncated = { parsedBody: null, isTruncated: true };
const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";
const MULTIPART_TYPE = "multipart/form-data; boundary=b";
const multipart = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\né\r\n--b--';

const of = (contentType: string, body: string, headers = {}): BodySource => ({
  ...empty,
  headers: { "content-type": contentType, ...headers },
  body,
});

const packed = (contentType: string, rawBody: Uint8Array): BodySource => ({
  ...of(contentType, ""),
  rawBody,
});

describe("parseBody()", () => {
  it.each([
    ["body", JSON_TYPE, "{"],
    ["body", FORM_TYPE, "a=%"],
    ["body", FORM_TYPE, "a=1;b=2"],
    ["body", MULTIPART_TYPE, "--c--"],
    ["headers", "multipart/form-data; boundary=", multipart],
    ["headers", "multipart/form-data; boundary=b; boundary*=utf-8''c", multipart],
  ])("names the %s of a malformed %s: %j", (part, contentType, body) => {
    const field = `attributes.request.http.${part}`;
    const refused = expect(() => parseBody(of(contentType, body)));
    refused.toThrow(expect.objectContaining({ kind: "invalid-argument", field }));
  });

  it.each([
    "",
    " 1",
    "1.0",
    "0x1",
    "1,1",
    "9223372036854775808",
    "-9223372036854775809",
    "1".repeat(99),
  ])("refuses the content-length %j", (length) => {
    const source = of(JSON_TYPE, "{}", { "content-length": length });
    expect(() => parseBody(source)).toThrow(
      /^attributes\.request\.http\.headers: "content-length" is ".{0,25}"; expected an integer$/,
    );
  });

  it.each([
    ["no body", of(JSON_TYPE, "")],
    ["no form", of(FORM_TYPE, "")],
    ["no parts", of(MULTIPART_TYPE, "")],
    ["no body, whatever its announced length", of(JSON_TYPE, "", { "content-length": "x" })],
    ["no content type", { ...empty, body: "{}" }],
    ["another content type", of("text/plain", "{}")],
    ["a content type in other letters", of("Application/JSON", "{}")],
    ["a form without a boundary", of("multipart/form-data", "x")],
    ["a gRPC call that is not packed as bytes", of(`application/grpc; a=${FORM_TYPE}`, "a=1")],
    ["a gRPC call without a protoset", packed("application/grpc", Buffer.from([0]))],
  ])("gives null for %s", (_what, source) => {
    expect(parseBody(source)).toEqual(nothing);
  });

  it.each([
    [JSON_TYPE, { "x-envoy-auth-partial-body": "true" }],
    [MULTIPART_TYPE, { "x-envoy-auth-partial-body": "true", "content-length": "x" }],
    [JSON_TYPE, { "content-length": "7" }],
    [FORM_TYPE, { "content-length": "+0007" }],
    [MULTIPART_TYPE, { "content-length": "9223372036854775807" }],
  ])("knows a %s that is cut by %j", (contentType, headers) => {
    expect(parseBody(of(contentType, "{é}x:", headers))).toEqual(truncated);
  });

  it.each(["0", "-1", "3", "4", "-9223372036854775808"])(
    "reads a body of four bytes for content-length %s",
    (length) => {
      const headers = { "content-length": length, "x-envoy-auth-partial-body": "TRUE" };
      expect(parseBody(of(JSON_TYPE, '"é"', headers)).parsedBody).toBe("é");
    },
  );

  it("reads by what the content type contains, the first in a fixed order", () => {
    const both = of(`x; a=${FORM_TYPE}; b=${JSON_TYPE}`, "[1]");
    expect(parseBody(both).parsedBody).toEqual([1]);
    expect(parseBody(of(`${JSON_TYPE}; charset=utf-8`, "[1]")).parsedBody).toEqual([1]);
    const form = parseBody(of(`${FORM_TYPE}; charset=utf-8`, "a=1&b&a=+2")).parsedBody;
    expect({ ...(form as object) }).toEqual({ a: ["1", " 2"], b: [""] });
    const parts = parseBody(of(`${MULTIPART_TYPE};`, multipart)).parsedBody;
    expect({ ...(parts as object) }).toEqual({ a: ["é"] });
  });

  it("reads a body that is packed as bytes, whatever they are", () => {
    const json = Buffer.from('xx["\xff\xc3\xa9"]', "latin1").subarray(2);
    expect(parseBody(packed(JSON_TYPE, json)).parsedBody).toEqual(["\ufffdé"]);
    const form = parseBody(packed(FORM_TYPE, Buffer.from("a=\xff", "latin1"))).parsedBody;
    expect({ ...(form as object) }).toEqual({ a: ["\ufffd"] });
    const bytes = Uint8Array.from(Buffer.from(multipart));
    expect({ ...(parseBody(packed(MULTIPART_TYPE, bytes)).parsedBody as object) }).toEqual({
      a: ["é"],
    });
  });

  it("prefers the text to the bytes", () => {
    const source = { ...of(JSON_TYPE, "1"), rawBody: Buffer.from("2") };
    expect(parseBody(source).parsedBody).toBe(1);
  });

  it("finds a boundary that is no ASCII", () => {
    const body = multipart.replaceAll("--b", "--é");
    const source = of('multipart/form-data; boundary="é"', body);
    expect({ ...(parseBody(source).parsedBody as object) }).toEqual({ a: ["é"] });
  });
});
