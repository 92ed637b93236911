import { X509Certificate } from "node:crypto";
import { BuiltinError } from "./builtin.ts";

/** The one X.509 certificate in the bytes. Throws `BuiltinError`. */
export function readCertificate(der: Buffer): X509Certificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    throw new BuiltinError("the certificate can't be read");
  }
  // OpenSSL reads the first of several, and PEM inside of PEM.
  if (!certificate.raw.equals(der)) throw new BuiltinError("more than a certificate");
  return certificate;
}
