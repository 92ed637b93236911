import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientCertificateField } from "./client-certificate.ts";

describe("clientCertificateField()", () => {
  it.each([
    ["By=spiffe://a;Hash=ab;URI=spiffe://mesh/ns/web", "uri", "spiffe://mesh/ns/web"],
    ['Hash=ab;Subject="CN=web,OU=\\"a;b\\"";URI=u', "subject", 'CN=web,OU="a;b"'],
    ["URI=told;By=x,URI=verified;By=y", "uri", "verified"],
    ['Subject="a,URI=forged";URI=real', "uri", "real"],
    ["uri = spaced ", "uri", "spaced"],
    ["URI=a;URI=b", "uri", undefined],
    ["URI=told,By=x", "uri", undefined],
    ["URI=", "uri", undefined],
    ['Subject="unended;URI=a', "uri", undefined],
    ["", "uri", undefined],
    ["URI", "uri", undefined],
    ["URI=a,", "uri", undefined],
  ])("reads %o: %s is %o", (header, field, value) => {
    expect(clientCertificateField(header, field)).toBe(value);
  });

  it.each([
    ["blanks", `URI=${" ".repeat(60_000)}"`],
    ["blanks behind a value", `URI=a${" ".repeat(60_000)}"`],
    ["blanks before a name", `${" ".repeat(60_000)}"`],
    ["letters", `${"a".repeat(60_000)}"`],
    ["backslashes", `URI="${"\\".repeat(60_001)}`],
    ["separators", `${"URI=;".repeat(12_000)}"`],
  ])("is done with 60 KB of %s before anybody notices", (_, header) => {
    // Of what takes time that grows faster than the text, a test of this file would not see the end.
    expect(clientCertificateField(header, "uri")).toBeUndefined();
  });

  it("reads whatever a proxy has quoted, and nothing of what it was told before", () => {
    const text = fc.string({ minLength: 1 }).filter((value) => value.trim() === value);
    fc.assert(
      fc.property(text, fc.string(), (uri, subject) => {
        const quote = (value: string) => `"${value.replace(/[\\"]/g, "\\$&")}"`;
        const header = `URI=${quote(subject)},Subject=${quote(subject)};URI=${quote(uri)}`;
        expect(clientCertificateField(header, "uri")).toBe(uri);
      }),
    );
  });
});
