import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readDirectoryText } from "./read-directory-text.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-text-"));
  path = join(folder, "people.yaml");
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("readDirectoryText()", () => {
  it("refuses a FIFO that nobody writes to, without waiting for a writer", async () => {
    execFileSync("mkfifo", [path]);
    await expect(readDirectoryText(path, 100)).rejects.toThrow(`${path}: is not a regular file`);
  });

  it("refuses what is too large, not UTF-8 or not there, by the file's name", async () => {
    await expect(readDirectoryText(path, 100)).rejects.toThrow(`${path}: can't be read (ENOENT)`);
    writeFileSync(path, Buffer.from([0xff]));
    await expect(readDirectoryText(path, 100)).rejects.toThrow(`${path}: expected UTF-8 text`);
    await expect(readDirectoryText(path, 0)).rejects.toThrow(
      `${path}: has 1 bytes; expected at most 0`,
    );
  });
});
