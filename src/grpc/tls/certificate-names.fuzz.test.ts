import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type SanEntry, sanCertificate } from "../../../test/support/san-certificate.ts";
import { certificateNames } from "./certificate-names.ts";

const kinds = fc.constantFrom<SanEntry["kind"]>("DNS", "URI", "email");
/** What misleads a reader of the text in which Node lists the names. */
const pieces = fc.constantFrom(..."a.-:/,\"'\\ \0\né".split(""), ", URI:", "DNS:b", "spiffe:");
const values = fc
  .array(pieces, { maxLength: 6 })
  .map((parts) => Buffer.from(parts.join(""), "latin1"));

describe("certificateNames()", () => {
  it("reads what stands in the certificate, whatever that is", () => {
    const entry = fc.record({ kind: kinds, bytes: values });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 5 }), (entries) => {
        const { subjectAltName = "" } = new X509Certificate(sanCertificate(entries));
        expect(certificateNames(subjectAltName)).toEqual(expectedOf(entries));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** By the bytes of each entry, without a text that holds them all. */
function expectedOf(entries: readonly SanEntry[]): readonly string[] | undefined {
  const all = entries.map(({ kind, bytes }) => ({ kind, value: bytes.toString("latin1") }));
  const uris = all.filter(({ kind }) => kind === "URI");
  if (uris.length > 1 && uris.some(({ value }) => value.startsWith("spiffe:"))) return undefined;
  const names = all.filter(({ kind, value }) => {
    if (kind === "URI") return /^[A-Za-z][A-Za-z.-]*:[!-~]+$/.test(value);
    return kind === "DNS" && value.split(".").every((label) => /^[ab-]+$/.test(label));
  });
  return [...new Set(names.map(({ value }) => value))];
}
