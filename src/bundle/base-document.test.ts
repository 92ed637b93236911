import { describe, expect, it } from "vitest";
import { checkDataPlaces, readBaseDocument, withHostData } from "./base-document.ts";

const read = (files: Record<string, string>, bytesMax = 1_000) =>
  readBaseDocument(
    new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)])),
    bytesMax,
  );

const refusal = (message: string) =>
  expect.objectContaining({ stage: "data", message: expect.stringContaining(message) });

describe("readBaseDocument()", () => {
  it("refuses what is not a JSON object", () => {
    expect(() => read({ "data.json": "[]" })).toThrow(refusal("not an object"));
    expect(() => read({ "data.json": "{" })).toThrow(refusal("not JSON"));
    expect(() => read({ "data.yaml": "- 1" })).toThrow(refusal("not an object"));
  });

  it("refuses malformed UTF-8", () => {
    const files = new Map([["data.json", Buffer.from([0x7b, 0xff, 0x7d])]]);
    expect(() => readBaseDocument(files, 100)).toThrow(refusal("not UTF-8"));
  });

  it("refuses data beyond the limit, and data that grows beyond it when merged", () => {
    expect(() => read({ "data.json": `{"a":"${"x".repeat(1_000)}"}` })).toThrow(
      refusal("data_bytes_max"),
    );
    const aliases = "a: &a [1,2,3,4,5,6,7,8]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n";
    expect(() => read({ "data.yaml": aliases }, 200)).toThrow(refusal("data_bytes_max"));
  });

  it("refuses two values for one name", () => {
    expect(() => read({ "a/data.json": '{"b":1}', "data.json": '{"a":{"b":1}}' })).toThrow(
      refusal('gives "b" a second value'),
    );
    expect(() => read({ "a/b/data.json": "1", "a/data.yaml": "b: {}" })).toThrow(
      refusal("second value"),
    );
  });

  it("refuses YAML that JSON can't say, and YAML that is damaged", () => {
    expect(() => read({ "data.yaml": "a: .nan" })).toThrow(refusal("JSON can't hold"));
    expect(() => read({ "data.yaml": "1: a" })).toThrow(refusal("not a string"));
    expect(() => read({ "data.yaml": "a: [" })).toThrow(refusal("not YAML"));
    expect(() => read({ "data.yaml": "a: 1\na: 2" })).toThrow(refusal("not YAML"));
  });

  it("refuses a bomb of aliases", () => {
    const lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"];
    for (let i = 1; i < 12; i++) lines.push(`a${i}: &a${i} [${`*a${i - 1},`.repeat(9)}]`);
    expect(() => read({ "data.yaml": lines.join("\n") })).toThrow(refusal("can't be read"));
  });

  it("refuses data that is nested without end", () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    expect(() => read({ "a/data.json": deep }, 1e6)).toThrow(refusal("nested too deeply"));
  });

  it("keeps the text of a single file as it is", () => {
    const text = ' {"a": 12345678901234567890, "b": 1.0e400 }';
    expect(read({ "data.json": text }).text).toBe(text);
  });

  it("merges files by folder and keeps every digit", () => {
    const { text } = read({
      "data.json": '{"a":{"one":12345678901234567890,"half":0.50}}',
      "a/data.yaml": "two: 98765432109876543210\nyes: no\n",
      "a/b/data.json": "[1e400]",
    });
    expect(text).toBe(
      '{"a":{"b":[1e400],"two":98765432109876543210,"yes":"no",' +
        '"one":12345678901234567890,"half":0.50}}',
    );
  });

  it("treats __proto__ and constructor as names", () => {
    const { text } = read({
      "data.json": '{"a":{"__proto__":{"x":1},"constructor":2}}',
      "a/__proto__/data.json": '{"y":2}',
      "b/data.yaml": "__proto__: {z: 3}",
    });
    expect(JSON.parse(text).b.z).toBeUndefined();
    expect(text).toBe(
      '{"a":{"__proto__":{"y":2,"x":1},"constructor":2},"b":{"__proto__":{"z":3}}}',
    );
  });

  it("is an empty object where there is no data", () => {
    expect(read({}).text).toBe("{}");
  });
});

describe("checkDataPlaces()", () => {
  const check =
    (text: string, roots: string[], rules: string[] = []) =>
    () =>
      checkDataPlaces(JSON.parse(text), roots, rules);

  it("refuses the host's place, however it is spelt", () => {
    expect(check('{"postern":{}}', [""])).toThrow(refusal("data.postern belongs to Postern"));
    expect(check('{"\\u0070ostern":{}}', [""])).toThrow(refusal("data.postern"));
  });

  it("refuses data outside of the roots", () => {
    expect(check('{"a":{"c":1}}', ["a/b"])).toThrow(refusal('data at "a/c" is outside'));
    expect(check('{"a":1}', ["a/b"])).toThrow(refusal('data at "a" is outside'));
    expect(check('{"a":{"b":{"c":1}}}', ["a/b"])).not.toThrow();
  });

  it("refuses data where a rule has its document", () => {
    expect(check('{"a":{"allow":true}}', [""], ["a/allow"])).toThrow(refusal('"a/allow"'));
    expect(check('{"a":1}', [""], ["a/allow"])).toThrow(refusal('"a/allow"'));
    expect(check('{"a":{"roles":{}}}', [""], ["a/allow"])).not.toThrow();
  });
});

describe("withHostData()", () => {
  it.each([
    ["{}", '{"postern":1}'],
    [" { } ", '{"postern":1} '],
    ['{"a":12345678901234567890}', '{"postern":1,"a":12345678901234567890}'],
  ])("puts the host's part into %j", (text, whole) => {
    expect(withHostData(text, "1")).toBe(whole);
  });
});
