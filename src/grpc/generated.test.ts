import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const binaries = join(root, "node_modules/.bin");
const env = { ...process.env, PATH: `${binaries}:${process.env["PATH"]}` };
const buf = (...args: string[]) =>
  promisify(execFile)(join(binaries, "buf"), args, { cwd: root, env });

/** Contents by path below `folder`. */
function contents(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = files
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name));
  return new Map(
    paths.sort().map((path) => [path.slice(folder.length), readFileSync(path, "utf8")]),
  );
}

describe("src/grpc/gen", () => {
  it("is what buf generates from proto/", async () => {
    const folder = mkdtempSync(join(tmpdir(), "postern-gen-"));
    try {
      await buf("generate", "--output", folder);
      expect(contents(join(folder, "src/grpc/gen"))).toEqual(contents(join(root, "src/grpc/gen")));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("proto/", () => {
  it("passes buf's lint and format", async () => {
    await buf("lint");
    const { stdout } = await buf("format", "--diff", "--path", "proto/postern");
    expect(stdout).toBe("");
  });
});
