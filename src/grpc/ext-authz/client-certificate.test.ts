import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientCertificateField } from "./client-certificate.ts";

const hash = "ab".repeat(32);
const other = "cd".repeat(32);
const refused = /^attributes\.request\.http\.headers: "x-forwarded-client-cert" has /;

describe("clientCertificateField()", () => {
  it.each([
    [`By=spiffe://a;Hash=${hash};URI=spiffe://mesh/ns/web`, "uri", "spiffe://mesh/ns/web"],
    [`By=spiffe://a;By=spiffe://b;Hash=${hash};URI=u`, "uri", "u"],
    [`Hash=${hash};Subject="CN=web,OU=\\"a;b\\"";URI=u`, "subject", 'CN=web,OU="a;b"'],
    [`Hash=${hash};Cert="a%2Bb";Chain="c";Subject="CN=a";URI=u;DNS=d`, "dns", "d"],
    [`Hash=${hash};URI=u;DNS=d;DNS=e`, "uri", "u"],
    [`Hash=${hash};URI=u`, "hash", hash],
    [`URI = told;By=x,Hash=${hash};URI=verified`, "uri", "verified"],
    [`Hash=${hash};Subject="a,URI=forged";URI=real`, "uri", "real"],
    [`URI=told,Hash=${hash}`, "uri", undefined],
    [`Hash=${hash};URI=`, "uri", undefined],
    [`Hash=${hash};Subject=""`, "subject", undefined],
    ["", "uri", undefined],
  ])("reads %o: %s is %o", (header, field, value) => {
    expect(clientCertificateField(header, field, "spiffe://peer")).toBe(value);
  });

  it.each([
    ["no hash", "URI=a"],
    ["another kind of hash", "Hash=ab;URI=a"],
    ["a hash in upper case", `Hash=${hash.toUpperCase()};URI=a`],
    ["two hashes", `Hash=${hash};Hash=${hash};URI=a`],
    ["a field twice", `Hash=${hash};URI=a;URI=b`],
    ["a field of no certificate", `Hash=${hash};IP=b;URI=a`],
    ["a name in another case", `Hash=${hash};uri=a`],
    ["fields in another order", `Hash=${hash};DNS=b;URI=a`],
    ["a hash behind a name", `URI=a;Hash=${hash}`],
    ["another subject behind a name", `Hash=${hash};URI=a;Subject="CN=b"`],
    ["blanks", `Hash=${hash}; URI=a`],
    ["a blank in a name", `Hash=${hash};URI=a b`],
    ["a name in quotes", `Hash=${hash};URI="a"`],
    ["a subject in none", `Hash=${hash};Subject=CN`],
    ["an open quotation", `Subject="unended,Hash=${hash};URI=a`],
    ["a quotation that Envoy's ends", `Subject="a,Hash=${hash};Subject="CN=b";URI=a`],
    ["no field", "URI"],
    ["an empty element", `Hash=${hash};URI=a,`],
    ["an empty field", `Hash=${hash};URI=a;`],
    ["an element in a name of the peer", `Hash=${hash};URI=p;URI=x,Hash=${other};URI=a`],
    ["the same in a host's name", `Hash=${hash};DNS=p;DNS=x,Hash=${other};URI=a`],
  ])("refuses a header with %s", (_, header) => {
    expect(() => clientCertificateField(header, "uri", "p")).toThrow(refused);
  });

  it("takes the name of a peer that has called itself by way of another", () => {
    const header = `Hash=${hash};URI=p,Hash=${other};URI=q,Hash=${hash};URI=p`;
    expect(clientCertificateField(header, "uri", "p")).toBe("p");
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
    expect(() => clientCertificateField(header, "uri", "p")).toThrow(refused);
  });

  it("reads whatever Envoy has quoted, and nothing of what it was told before", () => {
    const text = fc.string({ minLength: 1 }).filter((value) => !/[\r\n]/.test(value));
    fc.assert(
      fc.property(text, fc.string(), (subject, told) => {
        const quote = (value: string) => `"${value.replace(/[\\"]/g, "\\$&")}"`;
        const header = `URI=${quote(told)},Hash=${hash};Subject=${quote(subject)};URI=u`;
        expect(clientCertificateField(header, "subject", "spiffe://peer")).toBe(subject);
      }),
    );
  });
});
