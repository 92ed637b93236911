import { extract, type Header } from "tar-stream";
import { BundleRefused, quoted } from "./bundle-refused.ts";
import type { BundleLimits } from "./options.ts";

const BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 1024;

/** Files of a bundle by path, without a leading slash; the values are views of the archive. */
export type BundleFiles = ReadonlyMap<string, Buffer>;

/**
 * Reads a tar that is wholly in memory; nothing touches the disk. Stricter than tar, so that no two
 * readers can disagree about what a bundle has in it: only regular files and directories, one size
 * per file, names that stay inside and differ in more than case, and nothing after the end.
 */
export async function readArchive(
  tar: Buffer,
  limits: Pick<BundleLimits, "entriesMax" | "entryBytesMax">,
): Promise<BundleFiles> {
  const files = new Map<string, Buffer>();
  const seen = new Set<string>();
  let end = 0;
  for await (const header of headersOf(tar)) {
    if (isZero(tar.subarray(end, end + BLOCK_BYTES))) {
      throw refused(`${quoted(header.name)} stands after the end of the archive`);
    }
    if (seen.size >= limits.entriesMax) {
      throw refused(`it has more than ${limits.entriesMax} entries (entries_max)`);
    }
    const name = checkEntry(header, limits.entryBytesMax);
    const folded = name.normalize("NFC").toLowerCase();
    if (seen.has(folded)) throw refused(`${quoted(name)} is there twice (upper case aside)`);
    seen.add(folded);
    const size = header.size ?? 0;
    const start = header.byteOffset;
    if (header.type === "file") files.set(name, tar.subarray(start, start + size));
    end = start + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
  if (tar.length < end + 2 * BLOCK_BYTES) throw refused("the archive ends early");
  if (!isZero(tar.subarray(end))) throw refused("bytes follow the end of the archive");
  return files;
}

type Entry = Header & { readonly byteOffset: number };

async function* headersOf(tar: Buffer): AsyncGenerator<Entry> {
  const parser = extract();
  parser.end(tar);
  try {
    for await (const entry of parser) {
      yield entry.header as Entry;
      entry.resume();
    }
  } catch (error) {
    if (error instanceof BundleRefused) throw error;
    throw refused(`the tar is damaged: ${(error as Error).message}`);
  }
}

function checkEntry(header: Entry, entryBytesMax: number): string {
  const { type, pax } = header;
  const size = header.size ?? 0;
  const shown = quoted(header.name);
  if (type !== "file" && type !== "directory") {
    throw refused(`${shown} is neither a regular file nor a directory`);
  }
  // A size or a layout stated a second time is where readers of one archive come to disagree.
  const restated = Object.keys(pax ?? {}).find((key) => key === "size" || key.startsWith("GNU."));
  if (restated !== undefined) throw refused(`${shown} has the extended header ${restated}`);
  if (type === "directory" && size !== 0) throw refused(`the directory ${shown} has a size`);
  if (size > entryBytesMax) {
    throw refused(`${shown} is larger than ${entryBytesMax} bytes (entry_bytes_max)`);
  }
  return checkName(header.name, type);
}

/** `opa build` writes `/data.json`, GNU tar `./data.json`: one such prefix goes. */
function checkName(name: string, type: "file" | "directory"): string {
  let path = name.replace(/^\.?\//, "");
  if (type === "directory") {
    path = path.replace(/\/$/, "");
    if (path === "" || path === ".") return "";
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
  const forbidden = /[\u0000-\u001f\u007f\\\ufffd]/.test(path);
  const segments = path.split("/");
  const escapes = segments.some((part) => part === "" || part === "." || part === "..");
  if (forbidden || escapes || Buffer.byteLength(path) > NAME_BYTES_MAX) {
    throw refused(`${quoted(name)} is not a plain relative name`);
  }
  return path;
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

function refused(message: string): BundleRefused {
  return new BundleRefused("container", message);
}
