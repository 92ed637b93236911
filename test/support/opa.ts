import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Sources by file name, e.g. `{ "authz.rego": "package authz\n…", "data.json": "{}" }`. */
export type PolicyFiles = Readonly<Record<string, string>>;

/** What `opa build -t wasm` makes of a policy. */
export interface BuiltWasm {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** JSON text of the base document. */
  readonly data: string;
}

const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Compiles with the real `opa` from the PATH, at `-O 0`. Results are cached in the temporary
 * directory by content, since a build takes longer than most tests. `flags` go to `opa build`, for
 * example `["--v0-compatible"]`.
 */
export function buildWasm(
  files: PolicyFiles,
  entrypoints: readonly string[],
  flags: readonly string[] = [],
): BuiltWasm {
  const key = createHash("sha256")
    .update(JSON.stringify([opaVersion(), Object.entries(files).sort(), entrypoints, flags]))
    .digest("hex");
  const cached = join(tmpdir(), "postern-test-wasm", key);
  if (!existsSync(cached)) buildInto(cached, files, [...entryFlags(entrypoints), ...flags]);
  return {
    wasm: new Uint8Array(readFileSync(join(cached, "policy.wasm"))),
    data: readFileSync(join(cached, "data.json"), "utf8"),
  };
}

/** Text of the plan that `opa build -t plan` makes of a policy, at `-O 0`. */
export function buildPlan(
  files: PolicyFiles,
  entrypoints: readonly string[],
  flags: readonly string[] = [],
): string {
  return withPolicyDirectory(files, (directory) => {
    const bundle = join(directory, "..", "bundle.tar.gz");
    const targets = ["--target=plan", "--optimize=0", ...entryFlags(entrypoints), ...flags];
    runOpa(["build", ...targets, "--output", bundle, directory]);
    return extract(bundle, "plan.json").toString();
  });
}

/**
 * The value of a query by OPA's own evaluator, `undefined` where it is undefined. `document` is
 * merged into `data`; to try many inputs in one process, put them there and map over them.
 */
export function opaEval(files: PolicyFiles, query: string, document: unknown = {}): unknown {
  return withPolicyDirectory(files, (directory) => {
    writeFileSync(join(directory, "document.json"), JSON.stringify(document));
    const output = runOpa([
      "eval",
      "--format=json",
      `--data=${directory}`,
      `--data=${join(directory, "document.json")}`,
      query,
    ]);
    const answer = JSON.parse(output) as { result?: [{ expressions: [{ value: unknown }] }] };
    return answer.result?.[0].expressions[0].value;
  });
}

function buildInto(cached: string, files: PolicyFiles, flags: readonly string[]): void {
  withPolicyDirectory(files, (directory) => {
    const bundle = join(directory, "..", "bundle.tar.gz");
    runOpa(["build", "--target=wasm", "--optimize=0", ...flags, "--output", bundle, directory]);
    mkdirSync(dirname(cached), { recursive: true });
    const staging = mkdtempSync(`${cached}-`);
    for (const name of ["policy.wasm", "data.json"]) {
      writeFileSync(join(staging, name), extract(bundle, name));
    }
    try {
      renameSync(staging, cached);
    } catch (error) {
      // Another test process has built the same policy meanwhile; its copy is as good.
      if (!existsSync(cached)) throw error;
      rmSync(staging, { recursive: true });
    }
  });
}

function extract(bundle: string, name: string): Buffer {
  return execFileSync("tar", ["--extract", "--to-stdout", "--file", bundle, `/${name}`], {
    maxBuffer: OUTPUT_BYTES_MAX,
    stdio: ["ignore", "pipe", "ignore"],
  });
}

function entryFlags(entrypoints: readonly string[]): string[] {
  return entrypoints.map((entrypoint) => `--entrypoint=${entrypoint}`);
}

function withPolicyDirectory<T>(files: PolicyFiles, use: (directory: string) => T): T {
  const root = mkdtempSync(join(tmpdir(), "postern-test-policy-"));
  try {
    const directory = join(root, "policy");
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), content);
    }
    return use(directory);
  } finally {
    rmSync(root, { recursive: true });
  }
}

let version: string | undefined;

function opaVersion(): string {
  version ??= runOpa(["version"]);
  return version;
}

function runOpa(args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync("opa", args, {
    encoding: "utf8",
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`opa ${args[0]} failed: ${stderr}${stdout}`);
  return stdout;
}
