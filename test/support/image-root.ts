import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { projectRoot } from "./source-files.ts";

/** Text of a file of the project. */
export const fileText = (name: string): string => readFileSync(join(projectRoot, name), "utf8");

/** Instructions of the last stage, with continued lines in one, such as `["COPY", "src src/"]`. */
const instructions = fileText("Dockerfile")
  .replaceAll(/^#.*\n/gm, "")
  .replaceAll(/\\\n\s*/g, "")
  .replace(/^.*(?=^FROM )/ms, "")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)] as const);

/** What follows each instruction of this name. */
export const argumentsOf = (name: string): string[] =>
  instructions.filter(([instruction]) => instruction === name).map(([, rest]) => rest);

/** What the Dockerfile copies from the project, and where to. */
export const copies = argumentsOf("COPY")
  .filter((rest) => !rest.startsWith("--from="))
  .flatMap((rest) => {
    const paths = rest.split(" ");
    const to = paths.pop()!;
    return paths.map((from) => ({ from, to }));
  });

/** Whether `.dockerignore` keeps a file from Docker; the last pattern that matches counts. */
export function isIgnored(path: string): boolean {
  const patterns = fileText(".dockerignore")
    .split("\n")
    .filter((line) => /^[^#]/.test(line));
  const parts = path.split("/");
  const selfAndParents = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  const last = patterns.findLast((pattern) =>
    selfAndParents.some((candidate) => toRegExp(pattern.replace(/^!/, "")).test(candidate)),
  );
  return last !== undefined && !last.startsWith("!");
}

/** As Docker reads patterns: `*` also stands for names that begin with a dot. */
function toRegExp(pattern: string): RegExp {
  const source = RegExp.escape(pattern)
    .replaceAll("\\*\\*\\/", "(?:.*/)?")
    .replaceAll("\\*", "[^/]*");
  return new RegExp(`^${source}$`);
}

/** Makes a folder that stands for the container's root, with what the image holds. */
export function createImageRoot(): string {
  const root = mkdtempSync(join(tmpdir(), "postern-image-"));
  const home = join(root, "postern");
  for (const { from, to } of copies) {
    const source = join(projectRoot, from);
    const isFolder = statSync(source).isDirectory();
    const target = isFolder ? join(home, to) : join(home, to, from.split("/").pop()!);
    const filter = (path: string): boolean =>
      statSync(path).isDirectory() || !isIgnored(relative(projectRoot, path));
    cpSync(source, target, { recursive: true, filter });
  }
  // As `npm ci --omit=dev` would: a package that only tests may use is not there.
  const { packages } = JSON.parse(fileText("package-lock.json")) as {
    packages: Record<string, { dev?: boolean }>;
  };
  for (const [path, { dev }] of Object.entries(packages)) {
    const isTop = path.lastIndexOf("node_modules/") === 0;
    if (dev || !isTop || !existsSync(join(projectRoot, path))) continue;
    mkdirSync(dirname(join(home, path)), { recursive: true });
    symlinkSync(join(projectRoot, path), join(home, path));
  }
  mkdirSync(join(home, "state"));
  return root;
}
