import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { glob, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Create } from "typebox/value";
import { readJson } from "../base/read-json.ts";
import { chooseEntrypoints } from "./choose-entrypoints.ts";
import { inputReads } from "./input-reads.ts";
import { writeDurably } from "./last-good.ts";
import { moduleDigest, readManifest } from "./manifest.ts";
import { bundleOptionsSchema } from "./options.ts";
import { packBundle, unpackBuilt } from "./pack-bundle.ts";
import type { BundleFiles } from "./read-archive.ts";
import { readBundle } from "./read-bundle.ts";
import { outlineRego, type RegoOutline } from "./rego-outline.ts";
import { casesFile, readCases } from "./self-test-cases.ts";

/** What to build. */
export interface BundleBuild {
  /** Folder with Rego modules, data files and perhaps a `.manifest` and `postern/cases.json`. */
  readonly source: string;
  /** The bundle file; its folder is made if needed. */
  readonly output: string;
  /** Path of what decides. Without it: the manifest's, `<package>/decision`, or the package. */
  readonly entrypoint?: string | undefined;
  /** Without it: the manifest's, or a digest of the sources. */
  readonly revision?: string | undefined;
  /** The Rego is in OPA's v0 language. */
  readonly isV0?: boolean | undefined;
  /** Where `opa` is looked for after the PATH; where a checkout's tests put it unless given. */
  readonly toolsFolder?: string | undefined;
}

/** What was built. */
export interface BuiltBundle {
  readonly output: string;
  readonly entrypoint: string;
  readonly revision: string;
  readonly bytes: number;
}

/** The bundle could not be built; the message is for the author of its sources. */
export class BundleBuildError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "BundleBuildError";
  }
}

const TOOLS_FOLDER = join(import.meta.dirname, "../../node_modules/.cache/tools");
const NO_OPA =
  "opa is neither on the PATH nor among the tools of this checkout. `npm test` builds it there; or " +
  "install it with `go install github.com/open-policy-agent/opa@v1.22.2`, which puts it into " +
  "~/go/bin, or from openpolicyagent.org";
const REVISION_DIGITS = 12;
const TEST_SUFFIX = "_test.rego";
const SOURCE_PATTERNS = ["**/*.rego", "**/data.{json,yaml,yml}", ".manifest", casesFile];

/**
 * Compiles a folder with the real `opa build`, at `-O 0`: higher levels panic on some policies and
 * fold away data that the host provides later. Runs inside the folder, since `opa` writes the path
 * it is given into the bundle. The same sources give the same files, in the same bytes but for what
 * another zlib may make of them. Throws `BundleBuildError`.
 */
export async function buildBundle(build: BundleBuild): Promise<BuiltBundle> {
  const sources = await readSources(build.source);
  const manifest = asBuildError(() => readManifest(sources.get(".manifest")?.toString()));
  const cases = sources.get(casesFile);
  if (cases !== undefined) asBuildError(() => readCases(cases));
  const wanted = build.entrypoint ?? manifest.postern.entrypoint;
  const entrypoint = wanted ?? findEntrypoint(outlinesOf(sources));
  const revision = build.revision ?? (manifest.revision || revisionOf(sources, entrypoint));

  const flags = [
    ...["--optimize", "0", "--bundle", ".", "--ignore", `*${TEST_SUFFIX}`],
    ...["--entrypoint", entrypoint, "--revision", revision],
    ...(build.isV0 === true ? ["--v0-compatible"] : []),
  ];
  const { files, plan } = await compileCopy(build, sources, flags);
  files.set(".manifest", withReads(files, plan));
  if (cases !== undefined) files.set(casesFile, cases);
  const bytes = await packBundle(files);
  await checkBuilt(bytes);
  const output = resolve(build.output);
  await mkdir(dirname(output), { recursive: true });
  await writeDurably(dirname(output), output, bytes);
  return { output: build.output, entrypoint, revision, bytes: bytes.length };
}

/** Compiles what was read: from files that are saved meanwhile, the plan could be of another policy. */
async function compileCopy(
  build: BundleBuild,
  sources: ReadonlyMap<string, Buffer>,
  flags: readonly string[],
): Promise<{ readonly files: Map<string, Buffer>; readonly plan: Buffer }> {
  const copy = await mkdtemp(join(tmpdir(), "postern-sources-"));
  try {
    for (const [name, bytes] of sources) {
      await mkdir(dirname(join(copy, name)), { recursive: true });
      await writeFile(join(copy, name), bytes);
    }
    const own = { ...build, source: copy };
    const files = new Map(await compile(own, "wasm", flags));
    return { files, plan: (await compile(own, "plan", flags)).get("plan.json")! };
  } finally {
    await rm(copy, { recursive: true });
  }
}

/** The files that `opa build` makes for a target. */
async function compile(
  build: BundleBuild,
  target: "wasm" | "plan",
  flags: readonly string[],
): Promise<BundleFiles> {
  const folder = await mkdtemp(join(tmpdir(), "postern-build-"));
  try {
    const output = join(folder, "bundle.tar.gz");
    await runOpa(build, ["build", "--target", target, ...flags, "--output", output]);
    return await unpackBuilt(await readFile(output));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The manifest with what the policy reads, whatever its source says of that. */
function withReads(files: BundleFiles, plan: Buffer): Buffer {
  const text = files.get(".manifest")!.toString();
  const { entrypoints, module } = readManifest(text);
  const paths = inputReads(plan.toString(), entrypoints);
  const reads = paths && { module: moduleDigest(files.get(module)!), paths };
  const manifest = readJson(text) as { metadata?: { postern?: object } };
  const metadata = { ...manifest.metadata, postern: { ...manifest.metadata?.postern, reads } };
  return Buffer.from(JSON.stringify({ ...manifest, metadata }));
}

/** What a server would refuse is better refused where it is made. */
async function checkBuilt(bytes: Uint8Array): Promise<void> {
  try {
    const { manifest, outlines } = await readBundle(bytes, Create(bundleOptionsSchema));
    chooseEntrypoints({
      available: new Map(manifest.entrypoints.map((path, index) => [path, index])),
      declared: manifest.entrypoints,
      wanted: manifest.postern.entrypoint,
      outlines,
    });
  } catch (error) {
    throw new BundleBuildError(`the built bundle would be refused: ${(error as Error).message}`);
  }
}

/** The files that `opa build` reads, and the cases, by path in the order of their names. */
async function readSources(source: string): Promise<Map<string, Buffer>> {
  const names: string[] = [];
  for await (const name of glob(SOURCE_PATTERNS, { cwd: source })) names.push(name);
  const built = names.filter((name) => !name.endsWith(TEST_SUFFIX)).sort();
  const sources = new Map<string, Buffer>();
  for (const name of built) sources.set(name, await readFile(join(source, name)));
  if (!built.some((name) => name.endsWith(".rego"))) {
    throw new BundleBuildError(`${source}: there is no Rego module (*.rego) in this folder`);
  }
  return sources;
}

function outlinesOf(sources: ReadonlyMap<string, Buffer>): RegoOutline[] {
  return [...sources]
    .filter(([name]) => name.endsWith(".rego"))
    .map(([, bytes]) => outlineRego(bytes.toString()));
}

/** Whole packages, so that no `deny` beside an `allow` is compiled away. */
function findEntrypoint(outlines: readonly RegoOutline[]): string {
  const packagesWith = (rule: string): string[] => [
    ...new Set(
      outlines
        .filter((outline) => outline.rules.has(`${outline.package}/${rule}`))
        .map((outline) => outline.package),
    ),
  ];
  const deciding = packagesWith("decision").map((path) => `${path}/decision`);
  const found = deciding.length > 0 ? deciding : packagesWith("allow");
  if (found.length === 1) return found[0]!;
  const why =
    found.length === 0 ? "no package defines decision or allow" : `${found.join(" and ")} decide`;
  throw new BundleBuildError(`${why}: say which entrypoint to take`);
}

function revisionOf(sources: ReadonlyMap<string, Buffer>, entrypoint: string): string {
  const hash = createHash("sha256").update(`${entrypoint}\0`);
  for (const [name, bytes] of sources) hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  return hash.digest("hex").slice(0, REVISION_DIGITS);
}

async function runOpa(build: BundleBuild, args: readonly string[]): Promise<void> {
  for (const command of ["opa", join(build.toolsFolder ?? TOOLS_FOLDER, "opa")]) {
    if (await runIfThere(command, build.source, args)) return;
  }
  throw new BundleBuildError(NO_OPA);
}

/** Gives `false` if there is no such command. */
function runIfThere(command: string, source: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(command, args, { cwd: source, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (output += text));
  return new Promise((done, fail) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") done(false);
      else fail(new BundleBuildError(`opa can't be started: ${error.message}`, error));
    });
    child.on("close", (status) => {
      if (status === 0) done(true);
      else fail(new BundleBuildError(`${source}: opa build refuses it:\n${output.trim()}`));
    });
  });
}

function asBuildError<Result>(step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    throw new BundleBuildError((error as Error).message, error);
  }
}
