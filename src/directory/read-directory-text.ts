import { open } from "node:fs/promises";
import { notRegularFile, regularFileFlags } from "../base/regular-file.ts";
import { PdpError } from "../decision/error.ts";
import type { DirectoryText } from "./directory.ts";

/**
 * Reads a directory or catalogue file. Throws `PdpError` `invalid-argument` if it is too large,
 * not UTF-8, or can't be read.
 */
export async function readDirectoryText(
  path: string,
  fileBytesMax: number,
): Promise<DirectoryText> {
  const bytes = await readBounded(path, fileBytesMax);
  try {
    return { name: path, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    throw new PdpError("invalid-argument", `${path}: expected UTF-8 text`, { cause: error });
  }
}

async function readBounded(path: string, bytesMax: number): Promise<Uint8Array> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, regularFileFlags);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new PdpError("invalid-argument", `${path}: can't be read (${code})`, { cause: error });
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new PdpError("invalid-argument", `${path}: ${notRegularFile}`);
    if (stat.size > bytesMax) {
      const message = `${path}: has ${stat.size} bytes; expected at most ${bytesMax}`;
      throw new PdpError("invalid-argument", message);
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}
