import { describe, expect, it } from "vitest";
import { PdpError } from "../../decision/error.ts";
import { ParsedPath } from "./parsed-path.ts";

const field = "attributes.request.http.path";
const longQuery = `/?${"&".repeat(10_000)}`;

describe("ParsedPath", () => {
  it.each([
    ['has the malformed escape "%zz"; expected "%" and two hex digits', "/%zz"],
    ['has the malformed escape "%2"; expected "%" and two hex digits', "/a%2"],
    ['has the malformed escape "%xx"; expected "%" and two hex digits', `/%${"x".repeat(10_000)}`],
  ])("refuses a path that %s", (why, path) => {
    const expected = new PdpError("invalid-argument", `${field}: ${why}`, { field });
    expect(() => new ParsedPath(path)).toThrow(expected);
  });

  it.each([
    ['has the malformed escape "%"; expected "%" and two hex digits', "/?a=%"],
    ['has a ";" between parameters; expected "&"', "/?a=1;b=2"],
    ["has more than 10000 parameters", longQuery],
  ])("refuses a query that %s, where somebody looks at it", (why, text) => {
    const expected = new PdpError("invalid-argument", `${field}: ${why}`, { field });
    const path = new ParsedPath(text);
    expect(() => path.checkQuery()).toThrow(expected);
    expect(() => path.parsedQuery).toThrow(expected);
    expect(path.parsedPath).toEqual([""]);
  });

  it.each([
    ["", [""], [""]],
    ["/", [""], [""]],
    ["/a/b", ["a", "b"], ["a", "b"]],
    ["/a/", ["a", ""], ["a", ""]],
    ["//admin", ["admin"], ["", "admin"]],
    ["/a%2Fb/c", ["a", "b", "c"], ["a/b", "c"]],
    ["/%2Fa", ["a"], ["/a"]],
    ["/a+b%20c", ["a+b c"], ["a+b c"]],
    ["/%C3%A9%F0%9F%98%80", ["é😀"], ["é😀"]],
    ["/ü%FFü", ["ü\ufffdü"], ["ü\ufffdü"]],
    ["/%EF%BB%BFa", ["\ufeffa"], ["\ufeffa"]],
    ["/%E2%2F%82", ["\ufffd", "\ufffd"], ["\ufffd/\ufffd"]],
    ["/a?b/c", ["a"], ["a"]],
  ])("decodes and splits %j, and splits and decodes it", (path, parsedPath, segments) => {
    expect(new ParsedPath(path)).toMatchObject({ parsedPath, parsedPathSegments: segments });
  });

  it("gives what stands before the query, as it is", () => {
    expect(new ParsedPath("//a%2Fb?c?d").rawPath).toBe("//a%2Fb");
    expect(new ParsedPath("/%41").rawPath).toBe("/%41");
  });

  it("keeps the order of a parameter's values", () => {
    const { parsedQuery } = new ParsedPath("/?b=2&a=1&&b=1&b&=x&%C3%A9=a+b%2Bc&a=b=c&d=?");
    expect({ ...parsedQuery }).toEqual({
      b: ["2", "1", ""],
      a: ["1", "b=c"],
      "": ["x"],
      é: ["a b+c"],
      d: ["?"],
    });
  });

  it("takes any name for a parameter's", () => {
    const { parsedQuery } = new ParsedPath("/?__proto__=a&constructor=b&__proto__=c");
    expect(Object.entries(parsedQuery)).toEqual([
      ["__proto__", ["a", "c"]],
      ["constructor", ["b"]],
    ]);
    expect(Object.getPrototypeOf(parsedQuery)).toBe(null);
  });

  it.each([
    "//admin",
    "/a//b",
    "/a//",
    "/a%2fb",
    "/a%5Cb",
    "/a\\b",
    "/./a",
    "/a/..",
    "/a/%2e%2E/b",
    "/a/.%2e",
    "/a/..;x/b",
    "/a;x=1/b",
    "/a%3Bx",
    "/%2561",
    "/a%00.png",
    "/a%0d%0aX:y",
    "/a%7F",
    "/a\tb",
    "/a#b",
    "/a?b#c",
    "/%C0%AF",
    "/%C0%AE%C0%AE/a",
    "/%FF",
    "/%ED%A0%80",
    "/\ufffd",
    ...["*", "a/b", "", "?a=b"],
    ...["/%41", "/a%7A", "/%30", "/a%3fb", "/a%23b", "/a%20", "/%20/b", "/a%C2%A0"],
    ...["/a/%EF%BC%8E%EF%BC%8E", "/%EF%BC%8F", "/%E2%80%A5", `/${"\u0301\u0323".repeat(129)}`],
    // One dot leader, a full-width backslash and semicolon, and the question mark of Greek.
    ...["/%E2%80%A4", "/a%EF%BC%BCb", "/a%EF%BC%9Bb", "/a%CD%BEb"],
    ...["/a%E2%80%8B", "/a%C2%85b", "/\u202ea", "/a\ufeff"],
  ])("finds %j ambiguous", (path) => {
    expect(new ParsedPath(path).isAmbiguous).toBe(true);
  });

  it.each([
    "/",
    "/a/b/",
    "/.well-known/a..b/...",
    "/a%20b+c",
    "/%C3%A9/ü",
    "/a?b=//%2F..%5C",
    "/a:b@c,d=e&f$g!(h)*'~",
    "/%21%40%5B%60%7B%7e",
  ])("finds %j clear", (path) => {
    expect(new ParsedPath(path).isAmbiguous).toBe(false);
  });
});
