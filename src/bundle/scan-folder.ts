import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { checkApplicationName } from "../decision/names.ts";
import { BundleRefused } from "./bundle-refused.ts";
import { type FileContent, readWholeFile, sampleOf } from "./read-file.ts";

/** What a look at the folder brought to light. */
export interface FolderListener {
  /**
   * New content of `<name>.tar.gz`, which has settled. The scan goes on when it resolves, so that
   * one file at a time is in memory, and what comes next is as new as it can be.
   */
  found(name: string, content: FileContent): Promise<void>;
  /** A file that can't be taken; said once per state of the file. */
  refused(name: string, reason: BundleRefused): void;
  /** The file has left the folder. */
  gone(name: string): void;
}

/** Looks at the folder. */
export interface FolderScan {
  /** `unsettled` = some file has to be looked at again after `settleMs`. Calls don't overlap. */
  scan(): Promise<{ readonly unsettled: boolean }>;
}

/** What a scan is made of. */
export interface FolderScanDeps {
  readonly folder: string;
  readonly settleMs: number;
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly listener: FolderListener;
}

interface Sighting {
  readonly sample: string;
  readonly sinceMs: number;
  /** This state of the file has been handed over, or can't become better. */
  done: boolean;
  /** What was last said against this state of the file. */
  refusal: string | undefined;
}

/** How the name of a bundle file ends. */
export const bundleSuffix = ".tar.gz";

/**
 * Finds what has changed by comparing samples (device, inode, size, times) with those of the scan
 * before, and so needs no events. Links are followed: a Kubernetes volume swaps `..data`, through
 * which every file leads. A file is read once two samples at least `settleMs` apart are the same.
 */
export function createFolderScan(deps: FolderScanDeps): FolderScan {
  const { folder, settleMs, bytesMax, clock, listener } = deps;
  const sightings = new Map<string, Sighting>();

  function see(name: string, sample: string): Sighting {
    const known = sightings.get(name);
    if (known?.sample === sample) return known;
    const sighting = { sample, sinceMs: clock.monotonicMs(), done: false, refusal: undefined };
    sightings.set(name, sighting);
    return sighting;
  }

  /** Whether the file has to be looked at again soon. */
  async function look(name: string): Promise<boolean> {
    checkName(name);
    const path = join(folder, name + bundleSuffix);
    const sighting = see(name, sampleOf(await stat(path, { bigint: true })));
    if (sighting.done) return false;
    if (clock.monotonicMs() - sighting.sinceMs < settleMs) return true;
    try {
      const content = await readWholeFile(path, bytesMax);
      if (content?.sample !== sighting.sample) return true;
      sighting.done = true;
      await listener.found(name, content);
      return false;
    } catch (error) {
      // Anything else, such as too many open files, may pass: the next scan tries again.
      if (error instanceof BundleRefused) sighting.done = true;
      throw error;
    }
  }

  function refuse(name: string, reason: BundleRefused): void {
    const sighting = sightings.get(name) ?? see(name, "");
    if (sighting.refusal === reason.message) return;
    sighting.refusal = reason.message;
    listener.refused(name, reason);
  }

  return {
    async scan() {
      let unsettled = false;
      const names = await bundleNames(folder);
      const present = new Set<string>();
      for (const name of names) {
        try {
          if (await look(name)) unsettled = true;
          present.add(name);
        } catch (error) {
          // A link may dangle for a moment during a swap, and a file may go before it is read.
          if (isMissing(error)) continue;
          present.add(name);
          refuse(name, asRefusal(error));
        }
      }
      for (const name of sightings.keys()) {
        if (present.has(name)) continue;
        sightings.delete(name);
        listener.gone(name);
      }
      return { unsettled };
    },
  };
}

async function bundleNames(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => name.endsWith(bundleSuffix) && !name.startsWith("."))
      .map((name) => name.slice(0, -bundleSuffix.length))
      .sort();
  } catch (error) {
    // The folder may be swapped as a whole; its bundles go on serving like deleted files.
    if (isMissing(error)) return [];
    throw error;
  }
}

function checkName(name: string): void {
  try {
    checkApplicationName(name, "file name");
  } catch (error) {
    throw new BundleRefused("read", (error as Error).message);
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

function asRefusal(error: unknown): BundleRefused {
  if (error instanceof BundleRefused) return error;
  return new BundleRefused("read", `it can't be read: ${(error as Error).message}`, error);
}
