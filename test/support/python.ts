import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
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
  // Written last, so that a set-up that was broken off is made again.
  const complete = `${environment}.complete`;
  if (existsSync(complete)) return python;
  rmSync(environment, { recursive: true, force: true });
  mkdirSync(dirname(environment), { recursive: true });
  await run("python3", ["-m", "venv", environment]);
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  await run(python, [...install, "--requirement", requirementsFile]);
  writeFileSync(complete, "");
  return python;
}
