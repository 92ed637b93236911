import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type SanEntry, sanCertificate } from "../../../test/support/san-certificate.ts";
import { certificateNames, namesOfPeer } from "./certificate-names.ts";

const GATEWAY = "spiffe://example/gateway";

/** What is read of a certificate with these names, in the text that Node makes of it. */
function namesIn(...entries: readonly SanEntry[]): readonly string[] | undefined {
  const certificate = new X509Certificate(sanCertificate(entries));
  return certificateNames(certificate.subjectAltName ?? "");
}

const dns = (value: string): SanEntry => ({ kind: "DNS", bytes: Buffer.from(value, "latin1") });
const uri = (value: string): SanEntry => ({ kind: "URI", bytes: Buffer.from(value, "latin1") });
const email = (value: string): SanEntry => ({ kind: "email", bytes: Buffer.from(value, "latin1") });

describe("certificateNames()", () => {
  it("has the URI and DNS names, each once", () => {
    const entries = [uri(GATEWAY), dns("gateway.example"), email("a@example"), dns("b"), dns("b")];
    expect(namesIn(...entries)).toEqual([GATEWAY, "gateway.example", "b"]);
    expect(namesIn(uri("https://example/a,b?c='d'"))).toEqual(["https://example/a,b?c='d'"]);
    expect(certificateNames("")).toEqual([]);
  });

  it.each<[string, SanEntry]>([
    ["another entry inside a DNS name", dns(`a, URI:${GATEWAY}`)],
    ["another entry inside a URI", uri(`http://a, URI:${GATEWAY}`)],
    ["another entry inside an e-mail address", email(`a, URI:${GATEWAY}`)],
    ["quotes", dns(`", URI:${GATEWAY}, DNS:"`)],
    ["an escape", dns(`\\", URI:${GATEWAY}`)],
    ["a DNS name that looks like a URI", dns(GATEWAY)],
    ["a URI that looks like a DNS name", uri("gateway.example")],
    ["a name that a NUL ends", dns("gateway.example\0.attacker.example")],
    ["a URI that a NUL ends", uri(`${GATEWAY}\0`)],
    ["a wildcard", dns("*.example")],
    ["nothing", dns("")],
    ["no URI at all", uri("")],
    ["a space", uri(`${GATEWAY} `)],
    ["a line's end", uri(`${GATEWAY}\n`)],
    ["what isn't ASCII", dns("gàteway.example")],
    ["a dot at the end", dns("gateway.example.")],
    ["an empty label", dns("gateway..example")],
    ["an e-mail address", email(GATEWAY)],
  ])("takes no name from %s", (_, entry) => {
    expect(namesIn(entry)).toEqual([]);
    expect(namesIn(dns("own.example"), entry, dns("other.example"))).toEqual([
      "own.example",
      "other.example",
    ]);
  });

  it("says nothing of a SPIFFE ID beside another URI, or of too many names", () => {
    expect(namesIn(uri(GATEWAY), uri("spiffe://example/other"))).toBeUndefined();
    expect(namesIn(uri("https://example"), uri(GATEWAY))).toBeUndefined();
    expect(namesIn(uri(GATEWAY), uri("SPIFFE://example/other\n"))).toBeUndefined();
    expect(namesIn(uri("https://a.example"), uri("https://b.example"))).toHaveLength(2);
    const many = Array.from({ length: 64 }, (_, index) => dns(`n${index}`));
    expect(namesIn(...many)).toHaveLength(64);
    expect(namesIn(...many, dns("n64"))).toBeUndefined();
  });

  it.each([
    "DNS",
    "DNS:a,DNS:b",
    "DNS:a, ",
    'DNS:"a',
    'DNS:"a"b',
    'DNS:a"b"',
    'DNS:"\\x"',
    'DNS:"a", URI',
    ", DNS:a",
  ])("says nothing of a text that Node doesn't make: %s", (text) => {
    expect(certificateNames(text)).toBeUndefined();
  });
});

describe("namesOfPeer()", () => {
  it("takes no name from a certificate that nobody has verified", () => {
    const certificate = new X509Certificate(sanCertificate([uri(GATEWAY)]));
    const getPeerX509Certificate = () => certificate;
    expect(namesOfPeer({ authorized: true, getPeerX509Certificate })).toEqual([GATEWAY]);
    expect(namesOfPeer({ authorized: false, getPeerX509Certificate })).toEqual([]);
    const none = () => undefined;
    expect(namesOfPeer({ authorized: true, getPeerX509Certificate: none })).toEqual([]);
  });
});
