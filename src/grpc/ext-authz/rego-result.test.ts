import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonValue } from "../../decision/json.ts";
import { plainAnswer, readRegoResult } from "./rego-result.ts";

const set = (name: string, value: string, action = "overwrite") => ({
  ...{ name, value, action, keepsEmpty: false },
});

/** `{a: {a: …}}` with so many levels below the first, each made by `around`. */
function nested(levels: number, around: (below: JsonValue) => JsonValue): JsonValue {
  let value: JsonValue = 1;
  for (let level = 0; level < levels - 1; level += 1) value = around(value);
  return { a: value };
}

describe("readRegoResult()", () => {
  it.each([true, false])("reads a plain %s", (value) => {
    expect(readRegoResult(value)).toEqual({ allows: value, detail: plainAnswer });
    expect(readRegoResult({ allowed: value })).toEqual({ allows: value, detail: plainAnswer });
  });

  it.each<[string, JsonValue]>([
    ["nothing that says so", {}],
    ["null", null],
    ["a text", "true"],
    ["a number", 1],
    ["a list", [true]],
    ["a text in place of a boolean", { allowed: "true" }],
    ["another name for it", { allow: true }],
  ])("takes %s for no answer", (_, document) => {
    expect(readRegoResult(document)).toBeUndefined();
  });

  it("reads everything a policy may say", () => {
    const document = {
      allowed: true,
      headers: [{ "X-User": "u1", "x-roles": ["a", "b"] }, { "x-user": "u2" }],
      response_headers_to_add: {
        "set-cookie": ["a=1", { value: "b=2", append_action: "overwrite" }],
        "x-empty": { value: "", keep_empty_value: true },
      },
      request_headers_to_remove: ["X-Secret", "X-User"],
      query_parameters_to_set: { a: "1", b: ["2", "3"] },
      query_parameters_to_remove: ["debug"],
      http_status: "unused",
      body: 1,
      dynamic_metadata: { who: { id: 1 } },
      else: "ignored",
    };
    expect(readRegoResult(document)?.detail).toEqual({
      headers: [set("x-user", "u1"), set("x-roles", "a"), set("x-roles", "b"), set("x-user", "u2")],
      responseHeaders: [
        set("set-cookie", "a=1", "append"),
        set("set-cookie", "b=2", "overwrite"),
        { ...set("x-empty", "", "append"), keepsEmpty: true },
      ],
      removedHeaders: ["x-secret"],
      query: [
        { name: "a", value: "1" },
        { name: "b", value: "2" },
        { name: "b", value: "3" },
      ],
      removedQuery: ["debug"],
      status: 403,
      body: "",
      dynamicMetadata: { who: { id: 1 } },
    });
  });

  it("reads everything a denial may say", () => {
    const document = {
      ...{ allowed: false, http_status: 401, body: "no", headers: { "x-a": ["1", "2"] } },
      ...{ dynamic_metadata: { who: 1 }, response_headers_to_add: "unused" },
    };
    expect(readRegoResult(document)?.detail).toEqual({
      ...{ ...plainAnswer, status: 401, body: "no", dynamicMetadata: { who: 1 } },
      headers: [set("x-a", "1", "append"), set("x-a", "2", "append")],
    });
  });

  it("makes a redirect of an address, of whichever status", () => {
    const redirect = "https://login.example/?back=%2Fa";
    const headers = [set("location", redirect, "append")];
    expect(readRegoResult({ allowed: false, redirect })?.detail).toMatchObject({
      ...{ status: 302, headers },
    });
    expect(readRegoResult({ allowed: false, redirect, http_status: 307 })?.detail).toMatchObject({
      ...{ status: 307, headers },
    });
    expect(readRegoResult({ allowed: true, redirect })?.detail).toEqual(plainAnswer);
  });

  it("takes a header away of which there are no values, unless there are some elsewhere", () => {
    const headersOf = (headers: JsonValue) =>
      readRegoResult({ allowed: true, headers })?.detail.removedHeaders;
    expect(headersOf({ "X-Roles": [], "x-user": "u1" })).toEqual(["x-roles"]);
    expect(headersOf([{ "x-roles": [] }, { "x-roles": "admin" }])).toEqual([]);
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`x-${index}`, []]));
    expect(readRegoResult({ allowed: true, headers: many })).toBeUndefined();
  });

  it("takes an error for a denial, whatever else the policy says", () => {
    const error = `no keys${".".repeat(2_000)}`;
    const cut = error.slice(0, 1_024);
    for (const allowed of [true, false]) {
      expect(readRegoResult({ allowed, error, dynamic_metadata: { who: 1 } })).toEqual({
        ...{ allows: false, error: cut },
        detail: { ...plainAnswer, status: 500, dynamicMetadata: { who: 1, error: cut } },
      });
    }
    const told = { allowed: true, error: "", http_status: 502, body: "later", headers: { a: "b" } };
    expect(readRegoResult(told)).toMatchObject({
      ...{ allows: false, error: "" },
      detail: { status: 502, body: "later", headers: [set("a", "b", "append")] },
    });
  });

  const control = ["\r\nx-admin: 1", "\n", "\0", "\u007f"];
  it.each<[string, object]>([
    ...control.map((text): [string, object] => [
      `a header with ${JSON.stringify(text)}`,
      { headers: { x: `a${text}` } },
    ]),
    ["a cookie with a line's end", { response_headers_to_add: { "set-cookie": "a\nb" } }],
    ["a redirect with a line's end", { redirect: "/a\r\nx: y" }],
    ["a pseudo header", { headers: { ":path": "/admin" } }],
    ["a name with a space", { headers: { "x y": "z" } }],
    ["a name with a line's end", { headers: { "x\r\ny": "z" } }],
    ["an empty name", { headers: { "": "z" } }],
    ["a header that says where a message ends", { headers: { "Content-Length": "1" } }],
    ["a header that says where it goes", { headers: { host: "internal" } }],
    ["the same in the answer", { response_headers_to_add: { connection: "close" } }],
    ["a body of a status without one", { http_status: 204, body: "x" }],
    ["a pseudo header to remove", { request_headers_to_remove: [":path"] }],
    ["a value of 16 KiB and a byte", { headers: { x: "a".repeat(16_385) } }],
    ["65 headers", { headers: { x: Array(65).fill("a") } }],
    ["a header that is a number", { headers: { x: 1 } }],
    ["a header's list with a number", { headers: { x: ["a", 1] } }],
    ["headers that are a text", { headers: "x: y" }],
    ["an append action that Envoy has not", { headers: { x: { value: "a", append_action: "a" } } }],
    ["a header without a value", { headers: { x: { append_action: "append" } } }],
    ["a header kept empty by a text", { headers: { x: { value: "", keep_empty_value: "true" } } }],
    ["a status that is a text", { http_status: "403" }],
    ["a status that is not final", { http_status: 100 }],
    ["a status that Envoy does not know", { http_status: 299 }],
    ["a status of 0", { http_status: 0 }],
    ["a status with a fraction", { http_status: 403.5 }],
    ["a body that is an object", { body: {} }],
    ["a parameter that is a number", { query_parameters_to_set: { a: 1 } }],
    ["parameters that are a list", { query_parameters_to_set: ["a"] }],
    ["a parameter without a name", { query_parameters_to_set: { "": "a" } }],
    ["names that are one text", { query_parameters_to_remove: "a" }],
    ["metadata of 31 objects", { dynamic_metadata: nested(31, (below) => ({ a: below })) }],
    ["metadata of 45 lists", { dynamic_metadata: nested(45, (below) => [below]) }],
    ["metadata that is a text", { dynamic_metadata: "a" }],
    ["an error that is no text", { error: null }],
  ])("takes an answer with %s for none", (_, besides) => {
    const readings = [true, false].map((allowed) =>
      readRegoResult({ allowed, ...besides } as JsonValue),
    );
    expect(readings).toContain(undefined);
    // Where it is not used, the rest counts as if it were not there.
    for (const reading of readings) expect(reading?.detail ?? plainAnswer).toEqual(plainAnswer);
  });

  it.each(["add_if_absent", "overwrite_if_exists"])(
    "refuses to ask of Envoy to %s of a request",
    (action) => {
      const headers = { x: { value: "a", append_action: action } };
      expect(readRegoResult({ allowed: true, headers })).toBeUndefined();
      expect(readRegoResult({ allowed: true, response_headers_to_add: headers })).toBeDefined();
    },
  );

  it("allows for nothing but `true`, whatever stands beside it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.dictionary(fc.string(), fc.jsonValue()), (value, besides) => {
        const reading = readRegoResult({ ...besides, allowed: value } as JsonValue);
        expect(reading?.allows ?? false).toBe(value === true && reading !== undefined);
        if (typeof value !== "boolean") expect(readRegoResult(value as JsonValue)).toBeUndefined();
      }),
    );
  });
});
