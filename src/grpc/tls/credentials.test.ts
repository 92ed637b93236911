import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeAuthority, type TlsFiles } from "../../../test/support/tls-files.ts";
import { checkCredentials, readCredentials } from "./credentials.ts";
import type { TlsOptions } from "./options.ts";

let folder: string;
let own: TlsFiles;
let options: TlsOptions;
const read = (path: string) => readFileSync(path, "utf8");

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-tls-"));
  own = makeAuthority(folder).issue("own", { san: "DNS:localhost" });
  options = {
    ...{ certificateFile: own.certificate, keyFile: own.key, clientCaFile: own.ca },
    ...{ versionMin: "TLSv1.2", reloadIntervalMs: 1_000 },
    ...{ handshakeTimeoutMs: 1_000, handshakesMax: 1 },
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a file, and gives its path. */
function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function load(changes: Partial<TlsOptions>) {
  const changed = { ...options, ...changes };
  return checkCredentials(await readCredentials(changed), changed);
}

function encryptedKey(type: "pkcs8" | "pkcs1"): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return privateKey
    .export({ format: "pem", type, cipher: "aes-256-cbc", passphrase: "hunter2" })
    .toString();
}

describe("checkCredentials()", () => {
  it("takes a certificate, its key and authorities, also with the first two in one file", async () => {
    const both = file("both.pem", read(own.certificate) + read(own.key));
    const { ca, expiresAtMs } = await load({ certificateFile: both, keyFile: both });
    expect(ca).toHaveLength(1);
    expect(expiresAtMs).toBeGreaterThan(Date.parse("2026-01-01"));
    const { clientCaFile: _, ...withoutCa } = options;
    expect(checkCredentials(await readCredentials(withoutCa), withoutCa).ca).toBeUndefined();
    const authorities = file("authorities.pem", read(own.ca) + read(own.certificate));
    expect((await load({ clientCaFile: authorities })).ca).toHaveLength(2);
  });

  const certificate = "grpc.tls.certificate_file (POSTERN_GRPC_TLS_CERTIFICATE_FILE): ";
  const key = "grpc.tls.key_file (POSTERN_GRPC_TLS_KEY_FILE): ";
  const ca = "grpc.tls.client_ca_file (POSTERN_GRPC_TLS_CLIENT_CA_FILE): ";

  it.each<[string, () => Partial<TlsOptions>, string]>([
    [
      "a missing file",
      () => ({ certificateFile: "/absent" }),
      `${certificate}/absent can't be read (ENOENT)`,
    ],
    ["a folder", () => ({ keyFile: folder }), "is not a regular file"],
    [
      "a large file",
      () => ({ clientCaFile: file("large", "x".repeat(2 ** 20 + 1)) }),
      "expected at most 1048576",
    ],
    [
      "a file without a certificate",
      () => ({ certificateFile: own.key }),
      "has no certificate; expected PEM",
    ],
    ["an empty file of certificates", () => ({ certificateFile: file("empty", "") }), certificate],
    [
      "a certificate that breaks off",
      () => ({ certificateFile: file("cut", read(own.certificate).slice(0, -40)) }),
      "has a PEM block that does not end",
    ],
    [
      "a second certificate that can't be read",
      () => ({ certificateFile: file("two", read(own.certificate) + garbled(own.certificate)) }),
      "has a certificate 2 of 2 that can't be read",
    ],
    [
      "a file without a key",
      () => ({ keyFile: own.certificate }),
      `${key}${"$folder"}/own.pem has no private key`,
    ],
    ["an empty file of keys", () => ({ keyFile: file("empty", "") }), key],
    [
      "somebody else's key",
      () => ({ keyFile: join(folder, "ca.key") }),
      "is not the key of the first certificate in $folder/own.pem",
    ],
    [
      "a key with a passphrase",
      () => ({ keyFile: file("enc8", encryptedKey("pkcs8")) }),
      "asks for a passphrase",
    ],
    [
      "an old key with a passphrase",
      () => ({ keyFile: file("enc1", encryptedKey("pkcs1")) }),
      "asks for a passphrase",
    ],
    [
      "a file without authorities",
      () => ({ clientCaFile: file("empty", "") }),
      `${ca}$folder/empty has no certificate`,
    ],
    ["comments alone", () => ({ clientCaFile: file("comment", "# none\n") }), ca],
    [
      "an authority that can't be read",
      () => ({ clientCaFile: file("bad-ca", read(own.ca) + garbled(own.ca)) }),
      "has a certificate 2 of 2 that can't be read",
    ],
  ])("refuses %s, naming the option and the file", async (_, changes, message) => {
    const error = await load(changes()).then(
      () => new Error("it was taken"),
      (thrown: Error) => thrown,
    );
    expect(error.message).toContain(message.replaceAll("$folder", folder));
    expect(error.message).toMatch(/^grpc\.tls\.\w+_file \(POSTERN_GRPC_TLS_\w+_FILE\): \//);
  });

  it("refuses a key that is too small for OpenSSL", async () => {
    mkdirSync(join(folder, "small"), { recursive: true });
    const small = makeAuthority(join(folder, "small")).issue("small", { newKey: ["rsa:1024"] });
    const files = { certificateFile: small.certificate, keyFile: small.key };
    await expect(load(files)).rejects.toThrow(/small\.pem can't be used with its key \(ERR_SSL_EE/);
  });

  it("shows nothing of a key, in whatever is wrong with it", async () => {
    const body = read(own.key).split("\n")[1]!;
    const cut = read(own.key).slice(0, 120);
    for (const text of [cut, `${cut}\n-----END PRIVATE KEY-----`, encryptedKey("pkcs8")]) {
      const error = await load({ keyFile: file("broken.key", text) }).catch((thrown) => thrown);
      const shown = inspect(error, { depth: 10, showHidden: true });
      expect(shown).toContain("broken.key");
      expect(shown).not.toContain(body.slice(0, 16));
      expect(shown).not.toContain(text.split("\n")[1]!.slice(0, 16));
    }
  });
});

/** The same block with other bytes in it. */
function garbled(path: string): string {
  return read(path).replace(/\n[A-Za-z0-9+/]{20}/, "\nAAAAAAAAAAAAAAAAAAAA");
}
