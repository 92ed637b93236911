import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type FileContent, readWholeFile } from "./read-file.ts";
import { bundleSuffix } from "./scan-folder.ts";

/** Copies of the bundles that were last in force, for a start with a broken folder. */
export interface LastGood {
  /** Durable when it resolves; a crash leaves the copy before or this one, whole. */
  save(application: string, content: FileContent): Promise<void>;
  /** `undefined` = there is none. */
  load(application: string): Promise<FileContent | undefined>;
  /** Applications that have a copy. */
  list(): Promise<readonly string[]>;
  /** Whether there was one. */
  remove(application: string): Promise<boolean>;
}

/** Keeps the copies in a folder of their own, which is made when needed. */
export function createLastGood(folder: string, bytesMax: number): LastGood {
  const pathOf = (application: string): string => join(folder, application + bundleSuffix);
  /** Digests of the copies written by this process. */
  const saved = new Map<string, string>();
  return {
    async save(application, { bytes, digest }) {
      if (saved.get(application) === digest) return;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeDurably(folder, pathOf(application), bytes);
      saved.set(application, digest);
    },
    load: (application) => ignoreMissing(readWholeFile(pathOf(application), bytesMax)),
    async list() {
      const names = (await ignoreMissing(readdir(folder))) ?? [];
      return names
        .filter((name) => name.endsWith(bundleSuffix) && !name.startsWith("."))
        .map((name) => name.slice(0, -bundleSuffix.length))
        .sort();
    },
    async remove(application) {
      saved.delete(application);
      const removed = await ignoreMissing(rm(pathOf(application)).then(() => true));
      if (removed === true) await syncFolder(folder);
      return removed === true;
    },
  };
}

/** Writes beside the target and renames, so that a reader sees the old file or the new one. */
export async function writeDurably(folder: string, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, "w", 0o644);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function ignoreMissing<Value>(step: Promise<Value>): Promise<Value | undefined> {
  try {
    return await step;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
