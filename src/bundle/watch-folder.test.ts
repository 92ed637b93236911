import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Logger, silentLogger } from "../base/logger.ts";
import { type FolderWatch, watchFolder } from "./watch-folder.ts";

const HOUR_MS = 3_600_000;

let folder: string;
let watch: FolderWatch;
let scans: number;
let errors: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "postern-watch-"));
  scans = 0;
  errors = [];
});

afterEach(async () => {
  await watch.close();
  await rm(folder, { recursive: true });
});

const logger: Logger = { ...silentLogger, error: (_, message) => errors.push(message) };

function start(changes: {
  pollIntervalMs?: number;
  settleMs?: number;
  scan?: () => Promise<{ unsettled: boolean }>;
}): void {
  const { pollIntervalMs = HOUR_MS, settleMs = HOUR_MS } = changes;
  const inner = changes.scan ?? (async () => ({ unsettled: false }));
  const scan = () => {
    scans += 1;
    return inner();
  };
  watch = watchFolder({ folder, pollIntervalMs, settleMs, scan: { scan }, logger });
}

const scanned = (times: number) => vi.waitFor(() => expect(scans).toBeGreaterThanOrEqual(times));

describe("watchFolder()", () => {
  it("goes on polling when the folder can't be read, and says so once", async () => {
    start({
      pollIntervalMs: 1,
      scan: async () => {
        throw new Error("EMFILE");
      },
    });
    await scanned(4);
    expect(errors).toEqual(["The folder can't be read. What is active stays."]);
  });

  it("polls without any event", async () => {
    start({ pollIntervalMs: 1 });
    await scanned(4);
  });

  it("looks again soon at what has not settled", async () => {
    start({ settleMs: 1, scan: async () => ({ unsettled: true }) });
    await scanned(4);
  });

  it("looks when something happens, long before the next poll", async () => {
    start({});
    await scanned(1);
    await vi.waitFor(async () => {
      await writeFile(join(folder, "a.tar.gz"), String(scans));
      expect(scans).toBeGreaterThanOrEqual(3);
    });
  });

  it("ends at once when closed between two polls", async () => {
    start({});
    await scanned(1);
    await watch.close();
    await watch.close();
    expect(scans).toBe(1);
  });
});
