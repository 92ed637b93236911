import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ManualClock, manualClock } from "../../test/support/manual-clock.ts";
import { createFolderScan, type FolderScan } from "./scan-folder.ts";

let folder: string;
let clock: ManualClock;
let scan: FolderScan;
let said: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "postern-scan-"));
  clock = manualClock();
  said = [];
  scan = createFolderScan({
    folder,
    settleMs: 100,
    bytesMax: 10,
    clock,
    listener: {
      found: async (name, { bytes }) => {
        said.push(`${name}=${Buffer.from(bytes)}`);
      },
      refused: (name, { stage, message }) => said.push(`${name}! ${stage}: ${message}`),
      gone: (name) => said.push(`-${name}`),
    },
  });
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const path = (name: string): string => join(folder, name);

/** What is said by a look, and by another after the settling time. */
async function news(): Promise<string[]> {
  await scan.scan();
  clock.advance(100);
  const { unsettled } = await scan.scan();
  if (unsettled) said.push("unsettled");
  return said.splice(0);
}

describe("createFolderScan()", () => {
  it("says nothing of a folder that isn't there", async () => {
    await rm(folder, { recursive: true });
    expect(await news()).toEqual([]);
  });

  it("reads a file once it has stayed the same for the settling time", async () => {
    await writeFile(path("a.tar.gz"), "1");
    expect(await scan.scan()).toEqual({ unsettled: true });
    clock.advance(99);
    expect(await scan.scan()).toEqual({ unsettled: true });
    expect(said).toEqual([]);
    clock.advance(1);
    expect(await scan.scan()).toEqual({ unsettled: false });
    expect(await news()).toEqual(["a=1"]);
  });

  it("leaves a file alone while it is being written", async () => {
    await writeFile(path("a.tar.gz"), "1");
    for (const part of ["2", "3", "4"]) {
      expect(await scan.scan()).toEqual({ unsettled: true });
      await appendFile(path("a.tar.gz"), part);
      clock.advance(100);
    }
    expect(await news()).toEqual(["a=1234"]);
  });

  it("sees a change in place, a rename over it, a shorter file, and a re-creation", async () => {
    await writeFile(path("a.tar.gz"), "111");
    expect(await news()).toEqual(["a=111"]);
    await writeFile(path("a.tar.gz"), "222");
    expect(await news()).toEqual(["a=222"]);
    await writeFile(path("new"), "333");
    await rename(path("new"), path("a.tar.gz"));
    expect(await news()).toEqual(["a=333"]);
    await truncate(path("a.tar.gz"), 1);
    expect(await news()).toEqual(["a=3"]);
    await rm(path("a.tar.gz"));
    await writeFile(path("a.tar.gz"), "3");
    expect(await news()).toEqual(["a=3"]);
  });

  it("tells when a file leaves, by deletion or by another name", async () => {
    await writeFile(path("a.tar.gz"), "1");
    await writeFile(path("b.tar.gz"), "2");
    await news();
    await rm(path("a.tar.gz"));
    await rename(path("b.tar.gz"), path("c.tar.gz"));
    expect(await news()).toEqual(["-a", "-b", "c=2"]);
  });

  it("follows the swaps of a Kubernetes volume", async () => {
    await mkdir(path("..1"));
    await mkdir(path("..2"));
    await writeFile(path("..1/a.tar.gz"), "1");
    await writeFile(path("..2/a.tar.gz"), "2");
    await symlink("..1", path("..data"));
    await symlink("..data/a.tar.gz", path("a.tar.gz"));
    expect(await news()).toEqual(["a=1"]);
    await symlink("..2", path("..data_tmp"));
    await rename(path("..data_tmp"), path("..data"));
    expect(await news()).toEqual(["a=2"]);
  });

  it("takes a dangling link, and a folder that is gone, for deleted files", async () => {
    await writeFile(path("target"), "1");
    await symlink("target", path("a.tar.gz"));
    expect(await news()).toEqual(["a=1"]);
    await rm(path("target"));
    expect(await news()).toEqual(["-a"]);
    await writeFile(path("target"), "1");
    expect(await news()).toEqual(["a=1"]);
    await rm(folder, { recursive: true });
    expect(await news()).toEqual(["-a"]);
  });

  it("refuses names that are no application's, once", async () => {
    await writeFile(path("Billing.tar.gz"), "1");
    const expected = 'Billing! read: file name: "Billing" is not valid';
    expect(await news()).toEqual([expect.stringContaining(expected)]);
    expect(await news()).toEqual([]);
    await rm(path("Billing.tar.gz"));
    expect(await news()).toEqual(["-Billing"]);
  });

  it("refuses a file that is too large, once per state", async () => {
    const expected = "a! read: it is larger than 10 bytes (compressed_bytes_max)";
    await writeFile(path("a.tar.gz"), "x".repeat(11));
    expect(await news()).toEqual([expected]);
    expect(await news()).toEqual([]);
    await writeFile(path("a.tar.gz"), "y".repeat(11));
    expect(await news()).toEqual([expected]);
    await writeFile(path("a.tar.gz"), "y");
    expect(await news()).toEqual(["a=y"]);
  });

  it("refuses what is no regular file", async () => {
    await mkdir(path("a.tar.gz"));
    expect(await news()).toEqual(["a! read: it is not a regular file"]);
    await symlink("b.tar.gz", path("b.tar.gz"));
    expect(await news()).toEqual([expect.stringContaining("b! read: it can't be read: ELOOP")]);
  });

  it("passes over other files", async () => {
    for (const name of ["a.tar", "a.tar.gz.tmp", ".a.tar.gz", "README"]) {
      await writeFile(path(name), "1");
    }
    expect(await news()).toEqual([]);
  });

  it("reads a file again after a touch alone", async () => {
    await writeFile(path("a.tar.gz"), "1");
    await news();
    await chmod(path("a.tar.gz"), 0o600);
    expect(await news()).toEqual(["a=1"]);
  });
});
