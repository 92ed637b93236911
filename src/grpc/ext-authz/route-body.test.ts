import { describe, expect, it } from "vitest";
import { httpCheck } from "../../../test/support/http-check.ts";
import { ParsedPath } from "./parsed-path.ts";
import { createRouteBodyReader } from "./route-body.ts";

const read = createRouteBodyReader();
const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";
const multipart = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--';

function bodyOf(type: string | undefined, body: string, headers: Record<string, string> = {}) {
  const request = httpCheck({
    body,
    headers: { ...(type !== undefined && { "content-type": type }), ...headers },
  });
  return read(request, new ParsedPath("/a?b=c"));
}

describe("createRouteBodyReader()", () => {
  it.each([
    [JSON_TYPE, '{"a":"x"}', "json", { a: "x" }],
    ["Application/JSON; charset=UTF8", '{"a":1,"b":1.0}', "json", { a: 1, b: Number.NaN }],
    [FORM_TYPE, "a=x&a=y&b=z", "form", { a: ["x", "y"], b: "z" }],
    [`${FORM_TYPE};charset=utf-8`, "a=x", "form", { a: "x" }],
    ['Multipart/Form-Data; boundary="b"', multipart, "form", { a: "x" }],
  ])("reads %s", (type, body, names, value) => {
    const read = { names, query: { b: ["c"] }, isReplaced: true, value };
    const length = { "content-length": String(body.length) };
    expect(bodyOf(type, body)).toEqual(read);
    expect(bodyOf(type, body, length)).toEqual(read);
    const packed = { ...length, "content-encoding": "identity" };
    expect(bodyOf(type, body, packed)).toEqual(read);
  });

  it("refuses a query that can't be read, since many read it together with a body", () => {
    const request = httpCheck({ body: "{}", headers: { "content-type": JSON_TYPE } });
    expect(() => read(request, new ParsedPath("/a?b;c"))).toThrow('path: has a ";" between');
  });

  // Each is one that some upstream reads otherwise, or reads where others see nothing.
  it.each<[string, string | undefined, string, Record<string, string>?]>([
    ["a type of another kind of JSON", "text/json", "{}"],
    ["a vendor's JSON", "application/vnd.api+json", "{}"],
    ["plain text", "text/plain", "{}"],
    ["no type", undefined, "{}"],
    ["two types", `${JSON_TYPE}, ${FORM_TYPE}`, "{}"],
    ["a type with another in it", `${FORM_TYPE}; x=${JSON_TYPE}`, "a=x"],
    ["another charset", `${JSON_TYPE}; charset=utf-7`, "{}"],
    ["a charset in extended form", `${JSON_TYPE}; charset*=utf-8''utf-7`, "{}"],
    ["a boundary that means nothing", `${JSON_TYPE}; boundary=b`, "{}"],
    ["an encoding", JSON_TYPE, "{}", { "content-encoding": "gzip" }],
    ["no body", JSON_TYPE, ""],
    ["no body where there is one", JSON_TYPE, "", { "content-length": "31" }],
    ["a part of a body", JSON_TYPE, "{}", { "x-envoy-auth-partial-body": "true" }],
    ["less than there is", JSON_TYPE, "{}", { "content-length": "3" }],
    ["more than there is", JSON_TYPE, "{}", { "content-length": "1" }],
    ["a malformed body", JSON_TYPE, '{"a":1,}'],
    ["a name twice", JSON_TYPE, '{"a":{"b":1,"b":1}}'],
    ["a gRPC call without a protoset", "application/grpc", "\0\0\0\0\0"],
    [
      "a boundary with a backslash",
      'multipart/form-data; boundary="\\?b"',
      multipart.replaceAll("--b", "--?b"),
    ],
    ["another charset in a form", 'multipart/form-data; boundary=b; charset="utf-7"', multipart],
    ["a multipart form without a boundary", "multipart/form-data", multipart],
  ])("refuses %s", (_, type, body, headers) => {
    expect(() => bodyOf(type, body, headers)).toThrow(
      expect.objectContaining({
        kind: "invalid-argument",
        field: expect.stringMatching(/^attributes\.request\.http\.(?:body|headers)$/),
      }),
    );
  });

  it("refuses what is too large before it is read", () => {
    const large = "x".repeat(256 * 1_024 + 1);
    expect(() => bodyOf(JSON_TYPE, large)).toThrow(expect.objectContaining({ kind: "too-large" }));
  });

  it("tells whether it has the bytes that were sent", () => {
    const rawBody = Buffer.from('{"a":"!"}').toString("base64");
    const request = httpCheck({ rawBody, headers: { "content-type": JSON_TYPE } });
    expect(read(request, new ParsedPath("/a"))).toMatchObject({ isReplaced: false });
  });

  it("refuses bytes that are not UTF-8", () => {
    const rawBody = Buffer.from('{"a":"\xff"}', "latin1").toString("base64");
    const request = httpCheck({ rawBody, headers: { "content-type": JSON_TYPE } });
    expect(() => read(request, new ParsedPath("/a"))).toThrow("body: is not well-formed UTF-8");
  });
});
