import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClientTls } from "./grpc-client.ts";

/** A certificate, its key, and who signed it: paths of PEM files. */
export interface TlsFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate says, in the terms of OpenSSL's extension files. */
export interface CertificateRequest {
  /** For example `DNS:localhost`; none if left out. */
  readonly san?: string;
  /** Lines such as `extendedKeyUsage=serverAuth`. */
  readonly extensions?: readonly string[];
  readonly commonName?: string;
  /** As `openssl req -newkey` has it; an elliptic curve's unless given. */
  readonly newKey?: readonly string[];
  /** From now; two unless given. One that is negative has passed. */
  readonly days?: number;
}

/** A certificate authority of a test's own. */
export interface Authority {
  /** Path of its certificate. */
  readonly ca: string;
  /** Makes a certificate and its key in a folder of the authority's, or makes them anew. */
  issue(name: string, request?: CertificateRequest): TlsFiles;
}

const CURVE = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** Makes an authority with OpenSSL; what it makes is in `folder`. */
export function makeAuthority(folder: string): Authority {
  mkdirSync(folder, { recursive: true });
  const ca = join(folder, "ca.pem");
  const caKey = join(folder, "ca.key");
  const self = ["-x509", "-days", "2", "-subj", "/CN=test authority"];
  openssl("req", "-nodes", "-newkey", ...CURVE, ...self, "-keyout", caKey, "-out", ca);
  return {
    ca,
    issue(name, request = {}) {
      const { san, extensions = [], commonName = name, newKey = CURVE, days = 2 } = request;
      const file = (ending: string): string => join(folder, `${name}.${ending}`);
      const names = san === undefined ? [] : [`subjectAltName=${san}`];
      writeFileSync(file("ext"), [...names, ...extensions, ""].join("\n"));
      const escaped = commonName.replaceAll("/", "\\/");
      const subject = ["-subj", `/CN=${escaped}`, "-keyout", file("key"), "-out", file("csr")];
      openssl("req", "-nodes", "-newkey", ...newKey, ...subject);
      const signer = ["-CA", ca, "-CAkey", caKey, "-CAcreateserial", "-days", String(days)];
      const what = ["-in", file("csr"), "-extfile", file("ext"), "-out", file("pem")];
      openssl("x509", "-req", ...signer, ...what);
      return { ca, certificate: file("pem"), key: file("key") };
    },
  };
}

/** Makes a certificate authority and a certificate for `localhost` with OpenSSL. */
export function makeTlsFiles(folder: string): TlsFiles {
  return makeAuthority(folder).issue("localhost", { san: "DNS:localhost" });
}

/** What a client needs to show a certificate, and to trust who signed it. */
export function clientTls({ ca, certificate, key }: TlsFiles): Required<ClientTls> {
  return { ca: readFileSync(ca), cert: readFileSync(certificate), key: readFileSync(key) };
}

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
}
