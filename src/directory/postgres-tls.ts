import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import type { PostgresTls } from "../base/database-url.ts";
import { PdpError } from "../decision/error.ts";

/** libpq's word for the CAs that the platform knows. */
const PLATFORM_CAS = "system";

/**
 * What the driver needs for TLS; `false` = none. Modes mean what they mean to libpq: `require` asks
 * for no certificate unless a CA is named. Throws `PdpError` `unavailable` for files that can't be
 * read.
 */
export function tlsOptions(tls: PostgresTls): ConnectionOptions | false {
  if (tls.mode === "disable") return false;
  const { rootCertFile, certFile, keyFile } = tls;
  const hasRoot = rootCertFile !== undefined && rootCertFile !== PLATFORM_CAS;
  return {
    ...(hasRoot ? { ca: read("sslrootcert", rootCertFile) } : {}),
    ...(certFile === undefined ? {} : { cert: read("sslcert", certFile) }),
    ...(keyFile === undefined ? {} : { key: read("sslkey", keyFile) }),
    rejectUnauthorized: tls.mode !== "require" || rootCertFile !== undefined,
    ...(tls.mode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
  };
}

function read(parameter: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    const message = `${parameter}, ${file}, can't be read (${code})`;
    throw new PdpError("unavailable", message, { cause: error });
  }
}
