import { buffer } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { MiB } from "../base/sizes.ts";
import { type BundleFiles, readArchive } from "./read-archive.ts";

const TRUSTED_LIMITS = { entriesMax: 1_000_000, entryBytesMax: 1024 * MiB };

/** The files of a bundle that `opa build` has just made. */
export async function unpackBuilt(bundle: Uint8Array): Promise<BundleFiles> {
  return await readArchive(gunzipSync(bundle), TRUSTED_LIMITS);
}

/** Names, order and times are fixed by the files, so the bytes are too. */
export async function packBundle(files: BundleFiles): Promise<Uint8Array> {
  const archive = pack();
  for (const [name, bytes] of files) {
    archive.entry({ name: `/${name}`, mode: 0o600, mtime: new Date(0) }, bytes);
  }
  archive.finalize();
  return gzipSync(await buffer(archive), { level: 9 });
}
