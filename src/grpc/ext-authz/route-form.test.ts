import { describe, expect, it } from "vitest";
import { readMultipartForm, readUrlEncodedForm } from "./route-form.ts";
import { byteString } from "./url-encoding.ts";

describe("readUrlEncodedForm()", () => {
  it.each([
    ["a=x&b=y+z&a%62=%C3%A9", { a: "x", b: "y z", ab: "é" }],
    ["a=x&a=y&b", { a: ["x", "y"], b: "" }],
    ["a=x%3By%26b%3Dz&token=ab==", { a: "x;y&b=z", token: "ab==" }],
    ["_charset_=UTF-8&utf8=%E2%9C%93&a=x", { _charset_: "UTF-8", utf8: "✓", a: "x" }],
  ])("reads %s", (text, fields) => {
    expect({ ...readUrlEncodedForm(text) }).toEqual(fields);
  });

  it.each([
    ["another separator", "a=x;b=y", 'has a ";" between parameters'],
    ["an escape that is none", "a=%zz", "has the malformed escape"],
    ["a name that is not UTF-8", "%C1%A1=x", "has an escape that is not UTF-8"],
    ["a value that is not UTF-8", "b=%FF", "has an escape that is not UTF-8"],
    ["another charset", "a=x&_charset_=iso-8859-1", 'has a field "_charset_"'],
    ["another charset in capitals", "_CHARSET_=utf-7", 'has a field "_charset_"'],
    ["qs's sign of another charset", "utf8=%26%2310003%3B&a=x", 'has a field "utf8"'],
    ["what qs takes for a longer name", "a=x]=y", 'has "]=" in a value'],
    ["the same, escaped", "a=x%5d=y", 'has "]=" in a value'],
    ["fields that others pass over", `${"&".repeat(1_000)}a=x`, "has more than 1000 fields"],
  ])("refuses a form with %s", (_, text, why) => {
    expect(() => readUrlEncodedForm(text)).toThrow(`attributes.request.http.body: ${why}`);
  });

  it("takes as many fields as may be", () => {
    expect(readUrlEncodedForm(`${"&".repeat(999)}a=x`)).toMatchObject({ a: "x" });
  });
});

const disposition = (rest: string) => `Content-Disposition: form-data; ${rest}`;
const A = disposition('name="a"');
const partOf = (header: string, content = "x") => `--b\r\n${header}\r\n\r\n${content}\r\n`;
const formOf = (...parts: readonly string[]) => `${parts.join("")}--b--\r\n`;
const read = (body: string) => ({ ...readMultipartForm(byteString(body), "b") });

describe("readMultipartForm()", () => {
  it("reads fields, and has a list for those that are not read alike", () => {
    const form = formOf(
      partOf(A, "é-\r\n--c"),
      partOf('content-disposition:form-data;name="é\'&[x]"', ""),
      partOf(disposition('name="twice"')),
      partOf(disposition('name="twice"')),
      partOf(`${disposition('name="file"; filename="a=1 (2).png"')}\r\nContent-Type: image/png`),
      partOf(disposition('name="nofile"; filename=""')),
      partOf(`Content-Type: text/plain; charset=utf-8\r\n${disposition('name="typed"')}`),
      partOf(disposition('name="_charset_"'), "utf-8"),
    );
    expect(read(form)).toEqual({
      ...{ a: "é-\r\n--c", "é'&[x]": "", twice: ["x", "x"], file: [], nofile: [], typed: [] },
      ...{ _charset_: "utf-8" },
    });
    expect(Object.getPrototypeOf(readMultipartForm(byteString(form), "b"))).toBe(null);
    expect(read(formOf(partOf(A)).trimEnd())).toEqual({ a: "x" });
  });

  it("has a list for what is not UTF-8, and takes any bytes for a file", () => {
    const form = formOf(partOf(A, "\xff"), partOf(disposition('name="f"; filename="x"'), "\0\xff"));
    expect({ ...readMultipartForm(form, "b") }).toEqual({ a: [], f: [] });
  });

  it.each([
    ["something before its first delimiter", `x${formOf(partOf(A))}`],
    ["a line before its first delimiter", `\r\n${formOf(partOf(A))}`],
    ["something behind its last delimiter", `${formOf(partOf(A))}x`],
    ["more behind its last delimiter", `${formOf(partOf(A))}\r\n`],
    ["a form behind it", formOf(partOf(A)) + formOf(partOf(A))],
    ["no end", partOf(A)],
    ["nothing in it", ""],
    ["line feeds alone", formOf(partOf(A)).replaceAll("\r\n", "\n")],
    ["a line feed behind a delimiter", formOf(partOf(A)).replace("--b\r\n", "--b\n")],
    ["a blank behind a delimiter", formOf(partOf(A)).replace("--b\r\n", "--b \r\n")],
    ["what begins with the delimiter", formOf(partOf(A, "x\r\n--bc"))],
    ["a delimiter within a line", formOf(partOf(A, "x--b"))],
    ["a part behind half a line", formOf(partOf(A).slice(0, -2), partOf(A))],
    ["a part behind a line feed", formOf(`${partOf(A).slice(0, -2)}\n`, partOf(A))],
    ["a delimiter behind a line feed", formOf(partOf(A, "x\n--b\r\n"))],
    ["a part without a header's end", formOf(`--b\r\n${A}\r\n`)],
    ["a part without a content", formOf(`--b\r\n${A}\r\n\r\n`)],
    ["an end within the parts", formOf(partOf(A), "--b--\r\n", partOf(A))],
  ])("refuses a form with %s", (_, body) => {
    expect(() => read(body)).toThrow(
      /^attributes\.request\.http\.body: has something (?:before|that looks)/,
    );
  });

  it.each([
    ["an encoding", `${A}\r\nContent-Transfer-Encoding: base64`],
    ["an encoding that is none", `${A}\r\nContent-Transfer-Encoding: 8bit`],
    ["a length", `${A}\r\nContent-Length: 0`],
    ["another field", `${A}\r\nX-A: b`],
    ["a disposition twice", `${A}\r\n${A}`],
    ["a type twice", `${A}\r\nContent-Type: a/b\r\nContent-Type: a/b`],
    ["parts of its own", `${A}\r\nContent-Type: Multipart/Mixed; boundary=c`],
    ["a message in it", `${A}\r\nContent-Type: message/rfc822`],
    ["a type that is none", `${A}\r\nContent-Type: text`],
    ["a folded line", `${A}\r\n ; x=y`],
    ["a blank before the colon", A.replace(":", " :")],
    ["no colon", `${A}\r\nContent-Type`],
    ["no field", ""],
  ])("refuses a part with %s", (_, header) => {
    const why =
      "attributes.request.http.body: has a part whose header is read differently; expected";
    expect(() => read(formOf(partOf(header)))).toThrow(why);
  });

  it.each([
    ["none", "Content-Type: a/b"],
    ["an empty one", disposition('name=""')],
    ["one without quotes", disposition("name=a")],
    ["one in extended form", disposition("name*=utf-8''a")],
    ["two", disposition('name="a"; name="b"')],
    ["another beside it", disposition("name=\"a\"; name*=utf-8''b")],
    ["a name behind the file's", disposition('filename="x"; name="a"')],
    ["a file's in extended form", disposition('name="a"; filename="x"; filename*=utf-8\'\'y')],
    ["another parameter", disposition('name="a"; charset="utf-7"')],
    ["a backslash", disposition('name="a\\"')],
    ["an escape", disposition('name="%61"')],
    ["an encoded word", disposition('name="=?utf-8?B?YQ==?="')],
    ["a semicolon in it", disposition('name="a;b"')],
    ["one in a file's", disposition('name="b"; filename="x; name=a"')],
    ["a control character in it", disposition('name="a\0"')],
    ["a line feed in it", disposition('name="a\n"')],
    ["something behind it", `${A};`],
    ["another type", A.replace("form-data", "attachment")],
    ["another case", A.replace("name", "NAME")],
    ["more blanks", A.replace("; ", ";  ")],
  ])("refuses a part of which the name is %s", (_, header) => {
    const why =
      "attributes.request.http.body: has a part that upstreams name differently; expected";
    expect(() => read(formOf(partOf(header)))).toThrow(why);
  });

  it("refuses a name that is not UTF-8", () => {
    const form = formOf(partOf(disposition('name="\xff"')));
    expect(() => readMultipartForm(form, "b")).toThrow(
      "has a part whose header is read differently",
    );
  });

  it("refuses fields that are said to have another charset", () => {
    const form = formOf(partOf(A), partOf(disposition('name="_charset_"'), "iso-8859-1"));
    expect(() => read(form)).toThrow('body: has a field "_charset_" that says it is not UTF-8');
  });

  it.each(["", "b ", "b b", 'b"', "b;c", "b\\", "é", "b".repeat(71)])(
    "refuses the boundary %j",
    (b) => {
      const form = `--${b}\r\n${A}\r\n\r\nx\r\n--${b}--`;
      expect(() => readMultipartForm(byteString(form), byteString(b))).toThrow(
        'attributes.request.http.headers: "content-type" has no boundary that is read alike',
      );
    },
  );

  it("takes a boundary as clients make them", () => {
    for (const boundary of ["----WebKitFormBoundaryAb12", "==_(x)'+,./:=?_==", "b".repeat(70)]) {
      const form = `--${boundary}\r\n${A}\r\n\r\n--\r\n--${boundary}--`;
      expect({ ...readMultipartForm(form, boundary) }).toEqual({ a: "--" });
    }
  });

  it("takes as many fields as may be, and no more", () => {
    const many = new Array(1_000).fill(partOf(A));
    expect(read(formOf(...many))["a"]).toHaveLength(1_000);
    expect(() => read(formOf(...many, partOf(A)))).toThrow("body: has more than 1000 fields");
  });
});
