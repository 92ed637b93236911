import { describe, expect, it } from "vitest";
import { parseMultipartForm } from "./multipart-form.ts";

interface TestPart {
  readonly name?: string;
  readonly header?: string;
  readonly content: string;
}

function form(...parts: readonly TestPart[]): string {
  const texts = parts.map(({ name, header = "", content }) => {
    const disposition = `Content-Disposition: form-data${name === undefined ? "" : `; name=${name}`}`;
    return `--b\r\n${disposition}\r\n${header}\r\n${content}\r\n`;
  });
  return `${texts.join("")}--b--\r\n`;
}

const field = 'Content-Disposition: form-data; name="s3cret"';
const long = "x".repeat(4_097);
const part: TestPart = { name: "a", content: "" };
const tail = ": s3cret\r\n\r\n\r\n--b--";

describe("parseMultipartForm()", () => {
  it.each([
    ["ends before its closing delimiter", "s3cret"],
    ["ends within the header of a part", `--b\r\n${field}\r\n`],
    ["ends within a part", `--b\r\n${field}\r\n\r\ns3cret`],
    ["ends before its closing delimiter", `--b\r\n${field}\r\n\r\ns3cret\r\n--b`],
    ["has a delimiter whose line ends otherwise", `--b\r\n${field}\r\n\r\ns3cret\r\n--b\n`],
    [
      "has a delimiter whose line ends otherwise",
      `--b\r\n${field}\r\n\r\ns3cret\r\n--b--s3cret\r\n`,
    ],
    ["has a part with a malformed header", `--b\r\n ${field}${tail}`],
    ["has a part with a malformed header", `--b\r\ns3cret${tail.slice(1)}`],
    ["has a part with a malformed header", `--b\r\ns3cret\0${tail}`],
    [
      "has a part with a malformed Content-Disposition",
      `--b\r\nContent-Disposition: s3cret${tail}`,
    ],
    ["has a part with a header twice", `--b\r\n${field}\r\n${field}\r\n\r\n\r\n--b--`],
    ['has the extended parameter "name*"', form({ name: "a; name*=utf-8''s3cret", content: "" })],
    [
      "is JSON that ends too early",
      form({ ...part, header: "content-type: application/json\r\n" }),
    ],
    ...["Quoted-Printable", "base64", "8bit x"].map((encoding) => [
      "has an encoded part, which forms have not (RFC 7578 §4.7)",
      form({ ...part, header: `Content-Transfer-Encoding: ${encoding}\r\n` }),
    ]),
    ["has a part with a name that is no form-data", form(part).replace("form-data", "attachment")],
    ["has a part with a malformed Content-Disposition", form({ name: '"s3\\cret"', content: "" })],
    ["has a part with blanks around its name", form({ name: '" s3cret"', content: "" })],
    ["has a delimiter behind the last one", form(part) + form({ name: "s3cret", content: "" })],
    ["has a delimiter whose line begins otherwise", form({ name: "a", content: "s3cret\n--b" })],
    ["has a delimiter whose line begins otherwise", form({ name: "a", content: "s3cret\r--b" })],
    ["has a delimiter within its preamble", `s3cret\r--b\r\n${form(part)}`],
    ["has more than 1000 parts", form(...new Array(1_001).fill(part))],
    ["has a line of more than 4096 bytes outside of its parts", `${long}\r\n${form(part)}`],
    [
      "has a part whose header exceeds 16384 bytes",
      form({ ...part, header: `x: ${"s3cret ".repeat(2_341)}\r\n` }),
    ],
  ])("refuses a body that %s, and shows nothing of it", (why, body) => {
    let message = "";
    try {
      parseMultipartForm(body, "b");
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toBe(`attributes.request.http.body: ${why}`);
  });

  it("refuses a boundary that no form has", () => {
    expect(() => parseMultipartForm(form(part), "")).toThrow("has a boundary of 0 bytes");
    expect(() => parseMultipartForm(form(part), "b".repeat(71))).toThrow(
      "has a boundary of 71 bytes",
    );
  });

  it("keeps the values of a name in order", () => {
    const body = form(
      { name: '"a"', content: "1" },
      { name: "b", content: "" },
      { name: "a", content: "\r\n2\n-b\r\n--c- \r\n" },
    );
    const values = parseMultipartForm(body, "b");
    expect({ ...values }).toEqual({ a: ["1", "\r\n2\n-b\r\n--c- \r\n"], b: [""] });
  });

  it("takes any name for a part's", () => {
    const names = ["__proto__", '"a; d"', '"\xc3\xa9\xff"; filename="C:/x"'];
    const values = parseMultipartForm(form(...names.map((name) => ({ name, content: "x" }))), "b");
    expect(Object.keys(values)).toEqual(["__proto__", "a; d", "é\ufffd"]);
    expect(Object.getPrototypeOf(values)).toBe(null);
  });

  it("leaves out parts without a name", () => {
    const other = "--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n";
    const nameless = form({ content: "x" }, { name: '""', content: "x" });
    const values = parseMultipartForm(`--b\r\n\r\nx\r\n${other}${nameless}`, "b");
    expect(Object.keys(values)).toEqual([]);
  });

  it("parses parts of JSON", () => {
    const json = "Content-Type: text/plain; was=application/json\r\n";
    const parts = ['{"a":12345678901234567890}', '"\xc3\xa9\xff"', "[]"].map((content) => {
      return { name: "a", header: json, content };
    });
    const mixed = form(...parts, {
      name: "a",
      header: "Content-Type: Application/JSON\r\n",
      content: "1",
    });
    const expected = [{ a: 12345678901234567890n }, "é\ufffd", [], "1"];
    expect(parseMultipartForm(mixed, "b")["a"]).toEqual(expected);
  });

  it("takes as many parts, and headers as long, as may be", () => {
    const many = form(...new Array(1_000).fill({ name: "a", content: "x" }));
    expect(parseMultipartForm(many, "b")["a"]).toHaveLength(1_000);
    const longHeader = form({ ...part, header: `x: ${"y".repeat(16_300)}\r\n` });
    expect(parseMultipartForm(longHeader, "b")["a"]).toEqual([""]);
  });
});
