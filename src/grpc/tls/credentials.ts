/**
 * The certificate, the key and the authorities that TLS works with: read from files, checked before
 * they are used, and replaced when the files are. Not for who a caller is, which its own certificate says.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { open } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { optionName } from "../../base/option-name.ts";
import { notRegularFile, regularFileFlags } from "../../base/regular-file.ts";
import { MiB } from "../../base/sizes.ts";
import type { TlsOptions } from "./options.ts";

/** What TLS works with, checked: the key is the certificate's. */
export interface Credentials {
  /** PEM, the server's own certificate first. */
  readonly cert: string;
  /** PEM. A secret. */
  readonly key: string;
  /** PEM, one certificate each; `undefined` = callers show no certificate. */
  readonly ca: readonly string[] | undefined;
  /** When the server's own certificate expires, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/** The files' texts, in the order of their options; `undefined` where an option is not set. */
export type CredentialTexts = readonly [
  certificate: string,
  key: string,
  clientCa: string | undefined,
];

const FILE_BYTES_MAX = MiB;
const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;
const PEM_BEGIN = /-----BEGIN /g;

/** An option that names a file, and the path it gives. */
interface Place {
  readonly option: string;
  readonly path: string;
}

/** Reads the files; throws an `Error` that names the option and the file that can't be read. */
export async function readCredentials(options: TlsOptions): Promise<CredentialTexts> {
  const { certificate, key, clientCa } = placesOf(options);
  return Promise.all([
    readText(certificate),
    readText(key),
    clientCa === undefined ? undefined : readText(clientCa),
  ]);
}

/** Checks what was read; throws an `Error` that names the option, the file and what is wrong. */
export function checkCredentials(texts: CredentialTexts, options: TlsOptions): Credentials {
  const [cert, keyText, caText] = texts;
  const places = placesOf(options);
  const own = certificatesOf(cert, places.certificate)[0]!;
  const key = privateKeyOf(keyText, places.key);
  if (!own.checkPrivateKey(key)) {
    const { certificateFile } = options;
    throw problem(places.key, `is not the key of the first certificate in ${certificateFile}`);
  }
  const { clientCa } = places;
  const ca =
    clientCa === undefined
      ? undefined
      : certificatesOf(caText!, clientCa).map((authority) => authority.toString());
  try {
    createSecureContext({ cert, key: keyText, ...(ca && { ca: [...ca] }) });
  } catch (error) {
    throw problem(places.certificate, `can't be used with its key (${codeOf(error)})`, error);
  }
  return { cert, key: keyText, ca, expiresAtMs: own.validToDate.getTime() };
}

function placesOf(options: TlsOptions) {
  const { certificateFile, keyFile, clientCaFile } = options;
  return {
    certificate: { option: "grpc.tls.certificate_file", path: certificateFile },
    key: { option: "grpc.tls.key_file", path: keyFile },
    clientCa:
      clientCaFile === undefined
        ? undefined
        : { option: "grpc.tls.client_ca_file", path: clientCaFile },
  };
}

async function readText(place: Place): Promise<string> {
  const handle = await open(place.path, regularFileFlags).catch((error) => {
    throw problem(place, `can't be read (${codeOf(error)})`, error);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw problem(place, notRegularFile);
    if (stats.size > FILE_BYTES_MAX) {
      throw problem(place, `has ${stats.size} bytes; expected at most ${FILE_BYTES_MAX}`);
    }
    return await handle.readFile("latin1");
  } finally {
    await handle.close();
  }
}

/**
 * Every certificate of a PEM text, at least one. Each block is read here, since OpenSSL stops at the
 * first that it can't read and passes over the rest.
 */
function certificatesOf(text: string, place: Place): readonly X509Certificate[] {
  const blocks = [...text.matchAll(PEM_BLOCK)];
  if (blocks.length !== (text.match(PEM_BEGIN) ?? []).length) {
    throw problem(place, "has a PEM block that does not end; expected whole ones");
  }
  const certificates = blocks.filter(([, label]) => label === "CERTIFICATE");
  if (certificates.length === 0) throw problem(place, "has no certificate; expected PEM");
  return certificates.map(([block], index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      const which = `certificate ${index + 1} of ${certificates.length}`;
      throw problem(place, `has a ${which} that can't be read (${codeOf(error)})`, error);
    }
  });
}

function privateKeyOf(text: string, place: Place): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    // Errors of OpenSSL hold nothing of what it read.
    const isEncrypted = text.includes("ENCRYPTED");
    const why = isEncrypted ? "asks for a passphrase" : `has no private key (${codeOf(error)})`;
    throw problem(place, `${why}; expected PEM without one`, error);
  }
}

function problem({ option, path }: Place, why: string, cause?: unknown): Error {
  return new Error(`${optionName(option)}: ${path} ${why}`, { cause });
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "unknown error";
}
