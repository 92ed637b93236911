import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const cache = join(import.meta.dirname, "../../node_modules/.cache/python");

/**
 * The `python` of a virtual environment that has what the requirements file pins. Made once per
 * content of that file, under node_modules/.cache; needs Python 3.10 or newer with `venv`.
 */
export async function pythonWith(requirementsFile: string): Promise<string> {
  const digest = createHash("sha256").update(readFileSync(requirementsFile)).digest("hex");
  const environment = join(cache, digest.slice(0, 16));
  const python = join(environment, "bin", "python");
  if (existsSync(environment)) return python;
  mkdirSync(cache, { recursive: true });
  // Made aside and moved when complete: test files run side by side, and any may be broken off.
  const made = mkdtempSync(`${environment}-`);
  await run("python3", ["-m", "venv", made]);
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  await run(join(made, "bin", "python"), [...install, "--requirement", requirementsFile]);
  try {
    renameSync(made, environment);
  } catch (error) {
    // Another test file was first.
    if (!/^(ENOTEMPTY|EEXIST)$/.test((error as NodeJS.ErrnoException).code ?? "")) throw error;
    rmSync(made, { recursive: true });
  }
  return python;
}
