import { type BaseDocument, checkDataPlaces, readBaseDocument } from "./base-document.ts";
import { BundleRefused, quoted } from "./bundle-refused.ts";
import { isPackage } from "./choose-entrypoints.ts";
import { inflateBundle } from "./inflate-bundle.ts";
import { decodeText } from "./json-text.ts";
import { hostRoot, isUnder, type Manifest, readManifest } from "./manifest.ts";
import type { BundleLimits } from "./options.ts";
import { type BundleFiles, readArchive } from "./read-archive.ts";
import { outlineRego, type RegoOutline } from "./rego-outline.ts";
import { casesFile, readCases, type SelfTestCase } from "./self-test-cases.ts";

/** A bundle, read and checked as far as that goes without compiling it. */
export interface BundleContents {
  readonly manifest: Manifest;
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly data: BaseDocument;
  readonly outlines: readonly RegoOutline[];
  readonly cases: readonly SelfTestCase[];
}

/** Reads a bundle file in memory. Throws `BundleRefused`. */
export async function readBundle(bytes: Uint8Array, limits: BundleLimits): Promise<BundleContents> {
  if (bytes.length > limits.compressedBytesMax) {
    const max = limits.compressedBytesMax;
    throw new BundleRefused("read", `it is larger than ${max} bytes (compressed_bytes_max)`);
  }
  const files = await readArchive(inflateBundle(bytes, limits), limits);
  refuseOtherKinds(files);
  const manifestBytes = files.get(".manifest");
  const manifest = readManifest(
    manifestBytes && decodeText(manifestBytes, ".manifest", "manifest"),
  );
  const outlines = outlineModules(files, manifest);
  const data = readBaseDocument(files, limits.dataBytesMax);
  checkDataPlaces(data.value, manifest.roots, rulePaths(manifest, outlines));
  const cases = files.get(casesFile);
  return {
    manifest,
    wasm: wasmModule(files, manifest),
    data,
    outlines,
    cases: cases === undefined ? [] : readCases(cases),
  };
}

function refuseOtherKinds(files: BundleFiles): void {
  for (const name of files.keys()) {
    if (name.endsWith("signatures.json")) {
      throw new BundleRefused("signature", "it is signed, and no key to verify it is configured");
    }
    if (name === "patch.json" || name.endsWith("/patch.json")) {
      throw new BundleRefused("manifest", "it is a delta bundle; only whole bundles are served");
    }
    if (name.endsWith(".manifest") && name !== ".manifest") {
      throw new BundleRefused("manifest", `it has a second manifest, ${quoted(name)}`);
    }
  }
}

function outlineModules(files: BundleFiles, manifest: Manifest): RegoOutline[] {
  const outlines: RegoOutline[] = [];
  for (const [name, bytes] of files) {
    if (!name.endsWith(".rego")) continue;
    const outline = outlineRego(decodeText(bytes, name, "manifest"));
    if (!isUnder(manifest.roots, outline.package)) {
      const shown = quoted(outline.package);
      throw new BundleRefused("manifest", `the package ${shown} is outside of the roots`);
    }
    if (isUnder([hostRoot], outline.package)) {
      throw new BundleRefused("manifest", "a package `postern` would hide the host's data");
    }
    outlines.push(outline);
  }
  return outlines;
}

/** Paths of all rules: those in the Rego, and the entrypoints, whose Rego is pruned. */
function rulePaths(manifest: Manifest, outlines: readonly RegoOutline[]): string[] {
  const entrypoints = manifest.entrypoints.filter((path) => !isPackage(path, outlines));
  return [...outlines.flatMap((outline) => [...outline.rules]), ...entrypoints];
}

function wasmModule(files: BundleFiles, manifest: Manifest): Uint8Array<ArrayBuffer> {
  const modules = [...files.keys()].filter((name) => /(^|\/)policy\.wasm$/.test(name));
  const bytes = files.get(manifest.module);
  if (bytes === undefined) {
    throw new BundleRefused(
      "policy",
      `it has no ${quoted(manifest.module)}; build it with \`opa build -t wasm\``,
    );
  }
  const other = modules.find((name) => name !== manifest.module);
  if (other !== undefined) {
    throw new BundleRefused("policy", `it has a second wasm module, ${quoted(other)}`);
  }
  return new Uint8Array(bytes);
}
