import { buffer } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { MiB } from "../base/sizes.ts";
import { readArchive } from "./read-archive.ts";

const TRUSTED_BYTES_MAX = 1024 * MiB;

/**
 * Adds files to what `opa build` has made, which itself takes in Rego and data alone. Without any,
 * the bytes stay as `opa` wrote them. Names, order and times are fixed, so the bytes are too.
 */
export async function packBundle(
  bundle: Uint8Array,
  added: ReadonlyMap<string, Buffer>,
): Promise<Uint8Array> {
  if (added.size === 0) return bundle;
  const limits = { entriesMax: 1_000_000, entryBytesMax: TRUSTED_BYTES_MAX };
  const built = await readArchive(gunzipSync(bundle), limits);
  const archive = pack();
  for (const [name, bytes] of [...built, ...added]) {
    archive.entry({ name: `/${name}`, mode: 0o600, mtime: new Date(0) }, bytes);
  }
  archive.finalize();
  return gzipSync(await buffer(archive), { level: 9 });
}
