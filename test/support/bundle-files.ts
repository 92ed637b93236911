import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import { Create } from "typebox/value";
import { type BundleOptions, bundleOptionsSchema } from "../../src/bundle/options.ts";

/** An entry of a tar, as odd as a test wants it. */
export type TarEntry = readonly [header: Partial<Header> & { name: string }, content?: string];

/** A tar with these entries, in this order, and its end. */
export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const [header, content = ""] of entries) {
    archive.entry({ mtime: new Date(0), ...header }, content);
  }
  archive.finalize();
  return buffer(archive);
}

/** Files of a bundle by path. */
export type BundleSources = Readonly<Record<string, string>>;

/** A bundle of these files; what is not given is there in its simplest form. */
export async function bundleOf(files: BundleSources = {}): Promise<Uint8Array<ArrayBuffer>> {
  const whole: BundleSources = {
    "data.json": "{}",
    "policy.wasm": "wasm",
    ".manifest": manifestOf(),
    ...files,
  };
  const entries = Object.entries(whole).map(
    ([name, text]): TarEntry => [{ name: `/${name}` }, text],
  );
  return new Uint8Array(gzipSync(await tarOf(entries)));
}

/** The text of a manifest whose only entrypoint is `authz/decision`. */
export function manifestOf(changes: Readonly<Record<string, unknown>> = {}): string {
  const wasm = [{ entrypoint: "authz/decision", module: "/policy.wasm" }];
  return JSON.stringify({ revision: "r1", roots: [""], wasm, ...changes });
}

/** The default options of bundles, with changes. */
export function bundleOptions(changes: Partial<BundleOptions> = {}): BundleOptions {
  return { ...Create(bundleOptionsSchema), ...changes };
}

/** A new temporary folder with these files. */
export async function sourceFolder(files: BundleSources): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "postern-sources-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}
