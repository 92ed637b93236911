import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** A certificate for `localhost`, and who signed it. */
export interface TlsFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** Makes a certificate authority and a certificate for `localhost` with OpenSSL. */
export function makeTlsFiles(folder: string): TlsFiles {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
  };
  const newKey = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  writeFileSync(file("san"), "subjectAltName=DNS:localhost\n");
  openssl(
    ...newKey,
    "-x509",
    "-days",
    "2",
    "-subj",
    "/CN=test authority",
    "-keyout",
    file("ca.key"),
    "-out",
    file("ca.pem"),
  );
  openssl(...newKey, "-subj", "/CN=localhost", "-keyout", file("key.pem"), "-out", file("csr"));
  openssl(
    "x509",
    "-req",
    "-days",
    "2",
    "-in",
    file("csr"),
    "-CA",
    file("ca.pem"),
    "-CAkey",
    file("ca.key"),
    "-CAcreateserial",
    "-extfile",
    file("san"),
    "-out",
    file("cert.pem"),
  );
  return { ca: file("ca.pem"), certificate: file("cert.pem"), key: file("key.pem") };
}
