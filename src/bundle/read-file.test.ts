import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import type * as FsPromises from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { readWholeFile } from "./read-file.ts";
import { createFolderScan } from "./scan-folder.ts";

/** What happens to the file right before it is opened, and right before its bytes are read. */
let beforeOpen = (): void => {};
let beforeRead = (): void => {};

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof FsPromises>();
  return {
    ...original,
    open: async (path: string, flags: number) => {
      beforeOpen();
      const handle = await original.open(path, flags);
      const read = handle.read.bind(handle) as (...args: unknown[]) => unknown;
      return Object.assign(handle, {
        read: (...args: unknown[]) => {
          beforeRead();
          return read(...args);
        },
      });
    },
  };
});

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-read-"));
  path = join(folder, "a.tar.gz");
  writeFileSync(path, "content");
});

afterEach(() => {
  beforeOpen = () => {};
  beforeRead = () => {};
  rmSync(folder, { recursive: true });
});

describe("readWholeFile()", () => {
  it("gives nothing of a file that grows while it is read", async () => {
    beforeRead = () => appendFileSync(path, "x");
    expect(await readWholeFile(path, 100)).toBeUndefined();
  });

  it("gives nothing of a file that shrinks while it is read", async () => {
    beforeRead = () => truncateSync(path, 0);
    expect(await readWholeFile(path, 100)).toBeUndefined();
  });

  it("refuses a file beyond the limit", async () => {
    await expect(readWholeFile(path, 6)).rejects.toMatchObject({ stage: "read" });
  });

  it("refuses a FIFO that nobody writes to, without waiting for a writer", async () => {
    const fifo = join(folder, "fifo.tar.gz");
    execFileSync("mkfifo", [fifo]);
    const reading = readWholeFile(fifo, 100);
    await expect(reading).rejects.toMatchObject({ message: "it is not a regular file" });
  });

  it("gives the bytes and their SHA-256", async () => {
    const content = await readWholeFile(path, 7);
    expect(Buffer.from(content!.bytes).toString()).toBe("content");
    expect(content?.digest).toBe(
      "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73",
    );
  });
});

describe("createFolderScan()", () => {
  it("takes only the content of the file that has settled", async () => {
    const clock = manualClock();
    const found: string[] = [];
    const listener = {
      found: async (_name: string, { bytes }: { bytes: Uint8Array }) => {
        found.push(Buffer.from(bytes).toString());
      },
      refused: () => {},
      gone: () => {},
    };
    const folderScan = createFolderScan({ folder, settleMs: 100, bytesMax: 100, clock, listener });
    await folderScan.scan();
    clock.advance(100);
    beforeOpen = () => writeFileSync(path, "torn");
    expect(await folderScan.scan()).toEqual({ unsettled: true });
    beforeOpen = () => {};
    expect(await folderScan.scan()).toEqual({ unsettled: true });
    expect(found).toEqual([]);
    clock.advance(100);
    expect(await folderScan.scan()).toEqual({ unsettled: false });
    expect(found).toEqual(["torn"]);
  });
});
