import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ManualClock, manualClock } from "../../../test/support/manual-clock.ts";
import { type ManualTimers, manualTimers } from "../../../test/support/manual-timers.ts";
import { type NotingMeter, notingMeter } from "../../../test/support/noting-meter.ts";
import { type Authority, makeAuthority, type TlsFiles } from "../../../test/support/tls-files.ts";
import type { Health } from "../../base/health.ts";
import { type Logger, silentLogger } from "../../base/logger.ts";
import type { Credentials } from "./credentials.ts";
import type { TlsOptions } from "./options.ts";
import { type ReloadedCredentials, reloadCredentials } from "./reloaded-credentials.ts";

let folder: string;
let authority: Authority;
let clock: ManualClock;
let timers: ManualTimers;
let meter: NotingMeter;
let lines: string[];
let states: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-tls-"));
  authority = makeAuthority(join(folder, "authority"));
  clock = manualClock(Date.now());
  timers = manualTimers(clock);
  meter = notingMeter();
  lines = [];
  states = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const INTERVAL_MS = 1_000;
const place = (name: string): string => join(folder, name);
const logger: Logger = {
  ...silentLogger,
  info: (_, message) => void lines.push(message),
  error: (_, message) => void lines.push(message),
};
const health: Health = {
  set: (component, state, detail = "") =>
    void states.push(`${component} ${state} ${detail}`.trim()),
};

const optionsFor = (files: Omit<TlsFiles, "ca">): TlsOptions => ({
  ...{ certificateFile: files.certificate, keyFile: files.key, versionMin: "TLSv1.2" },
  ...{ reloadIntervalMs: INTERVAL_MS, handshakeTimeoutMs: 1_000, handshakesMax: 1 },
});

function start(files: Omit<TlsFiles, "ca">): Promise<ReloadedCredentials> {
  return reloadCredentials({
    ...{ clock, timers, logger, meter: meter.meter, health },
    options: optionsFor(files),
  });
}

/** Lets a look at the files happen, and end. */
async function look(): Promise<void> {
  await expect.poll(() => timers.pending()).toBe(1);
  timers.advance(INTERVAL_MS);
  await expect.poll(() => timers.pending()).toBe(1);
}

/** Puts a certificate and its key in place, written over what is there. */
function install({ certificate, key }: TlsFiles): void {
  copyFileSync(certificate, place("cert.pem"));
  copyFileSync(key, place("key.pem"));
}

const installed = () => ({ certificate: place("cert.pem"), key: place("key.pem") });
const text = (path: string): string => readFileSync(path, "utf8");

describe("reloadCredentials()", () => {
  it("takes what is written over the files", async () => {
    install(authority.issue("one"));
    const credentials = await start(installed());
    const changes: Credentials[] = [];
    credentials.onChange((changed) => changes.push(changed));
    await look();
    expect(changes).toEqual([]);

    const two = authority.issue("two");
    install(two);
    await look();
    await look();
    expect(changes).toHaveLength(1);
    expect(changes[0]!.cert).toBe(text(two.certificate));
    expect(credentials.current()).toBe(changes[0]);
    expect(lines).toEqual(["TLS files have changed. New connections get what they hold."]);
    expect(meter.notes).toContain("postern_grpc_tls_reloads_total taken 1");
    const expiry = `postern_grpc_tls_certificate_expiry_seconds ${changes[0]!.expiresAtMs / 1_000}`;
    expect(meter.notes.at(-1)).toBe(expiry);
    credentials.close();
  });

  it("takes what is renamed into place", async () => {
    install(authority.issue("one"));
    const credentials = await start(installed());
    const two = authority.issue("two");
    const cert = text(two.certificate);
    renameSync(two.certificate, place("cert.pem"));
    renameSync(two.key, place("key.pem"));
    await look();
    expect(credentials.current().cert).toBe(cert);
    credentials.close();
  });

  it("takes what a swapped link leads to, as in a Kubernetes volume", async () => {
    const volume = (name: string): string => {
      const { certificate, key } = authority.issue(name);
      mkdirSync(place(name));
      copyFileSync(certificate, join(place(name), "tls.crt"));
      copyFileSync(key, join(place(name), "tls.key"));
      symlinkSync(name, place(`${name}.link`));
      return name;
    };
    renameSync(place(`${volume("one")}.link`), place("..data"));
    for (const name of ["tls.crt", "tls.key"]) symlinkSync(`..data/${name}`, place(name));
    const credentials = await start({ certificate: place("tls.crt"), key: place("tls.key") });
    renameSync(place(`${volume("two")}.link`), place("..data"));
    await look();
    expect(credentials.current().cert).toBe(text(join(place("two"), "tls.crt")));
    credentials.close();
  });

  it("keeps what it has while the new files don't fit, and says so once", async () => {
    const one = authority.issue("one");
    install(one);
    const credentials = await start(installed());
    copyFileSync(authority.issue("two").certificate, place("cert.pem"));
    await look();
    expect(lines).toEqual([]);
    expect(states.at(-1)).toBe("tls ok");
    for (let times = 0; times < 3; times += 1) await look();
    const why =
      `grpc.tls.key_file (POSTERN_GRPC_TLS_KEY_FILE): ${place("key.pem")} is not the key of the ` +
      `first certificate in ${place("cert.pem")}`;
    expect(lines).toEqual([
      `TLS files can't be used: ${why}. The certificate of before stays in force.`,
    ]);
    expect(states.at(-1)).toBe(`tls degraded ${why}; the certificate of before is in force`);
    expect(meter.notes.filter((note) => note.includes("refused"))).toHaveLength(1);
    expect(credentials.current().cert).toBe(text(one.certificate));

    copyFileSync(place("authority/two.key"), place("key.pem"));
    await look();
    expect(credentials.current().cert).toBe(text(place("cert.pem")));
    expect(states.at(-1)).toBe("tls ok");
    credentials.close();
  });

  it("says nothing of a pair that is being replaced", async () => {
    install(authority.issue("one"));
    const credentials = await start(installed());
    const two = authority.issue("two");
    copyFileSync(two.certificate, place("cert.pem"));
    await look();
    copyFileSync(two.key, place("key.pem"));
    await look();
    expect(lines).toEqual(["TLS files have changed. New connections get what they hold."]);
    expect(credentials.current().cert).toBe(text(two.certificate));
    credentials.close();
  });

  it("keeps what it has while the files are gone, and goes on when they are back", async () => {
    const one = authority.issue("one");
    install(one);
    const credentials = await start(installed());
    rmSync(place("key.pem"));
    await look();
    await look();
    expect(lines).toEqual([expect.stringContaining("can't be read (ENOENT). The certificate of")]);
    install(one);
    await look();
    expect(states.at(-1)).toBe("tls ok");
    // The same trouble again is news.
    writeFileSync(place("key.pem"), "");
    await look();
    await look();
    expect(lines).toHaveLength(2);
    credentials.close();
  });

  it("tries again what failed for another reason than the files", async () => {
    install(authority.issue("one"));
    const credentials = await start(installed());
    const before = credentials.current();
    const taken: Credentials[] = [];
    let isFull = true;
    credentials.onChange((changed) => {
      if (isFull) throw new Error("out of memory");
      taken.push(changed);
    });
    install(authority.issue("two"));
    await look();
    await look();
    expect(lines).toEqual([expect.stringContaining("out of memory. The certificate of before")]);
    expect(credentials.current()).toBe(before);
    isFull = false;
    await look();
    expect(taken).toEqual([credentials.current()]);
    expect(taken[0]).not.toBe(before);
    expect(states.at(-1)).toBe("tls ok");
    credentials.close();
  });

  it("says that the certificate has expired, and serves on", async () => {
    install(authority.issue("one"));
    const credentials = await start(installed());
    const { expiresAtMs } = credentials.current();
    clock.advance(expiresAtMs - clock.wallMs() - INTERVAL_MS - 1);
    expect(states.at(-1)).toBe("tls ok");
    await look();
    expect(states.at(-1)).toBe("tls ok");
    await look();
    const when = new Date(expiresAtMs).toISOString();
    expect(states.at(-1)).toBe(
      `tls degraded the certificate expired at ${when}; callers refuse it`,
    );
    credentials.close();
  });

  it("has nothing to start with where the files don't fit", async () => {
    install(authority.issue("one"));
    copyFileSync(authority.issue("two").key, place("key.pem"));
    await expect(start(installed())).rejects.toThrow("is not the key of the first certificate");
    expect(timers.pending()).toBe(0);
  });

  it("looks no more once it is closed", async () => {
    install(authority.issue("one"));
    const credentials = await start(installed());
    credentials.close();
    expect(timers.pending()).toBe(0);
    const other = await start(installed());
    const before = meter.notes.length;
    timers.advance(INTERVAL_MS);
    // In the middle of a look.
    other.close();
    await expect.poll(() => meter.notes.length).toBe(before + 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(timers.pending()).toBe(0);
  });
});
