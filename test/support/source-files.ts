import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseSync } from "oxc-parser";

/** A node of the syntax tree, as far as the style rules look at it. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [property: string]: unknown;
}

/** One import of a file of the project. */
export interface Import {
  /** Path of the imported file from the root of the project. */
  readonly target: string;
  readonly typeOnly: boolean;
}

/** A hand-written TypeScript file. */
export interface SourceFile {
  /** From the root of the project, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly program: SyntaxNode;
  readonly imports: readonly Import[];
}

/** The root of the project. */
export const projectRoot = join(import.meta.dirname, "../..");

const GENERATED = /^src\/grpc\/gen\//;

/** Every hand-written TypeScript file that git tracks or would track. */
export function readSourceFiles(): readonly SourceFile[] {
  const listed = execFileSync(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard", "*.ts"],
    { cwd: projectRoot, encoding: "utf8" },
  );
  return listed
    .split("\n")
    .filter((path) => path !== "" && !path.endsWith(".d.ts") && !GENERATED.test(path))
    .filter((path) => existsSync(join(projectRoot, path)))
    .map(readSourceFile);
}

function readSourceFile(path: string): SourceFile {
  const text = readFileSync(join(projectRoot, path), "utf8");
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const root = program as unknown as SyntaxNode;
  return { path, text, lines: text.split("\n"), program: root, imports: importsOf(path, root) };
}

function importsOf(path: string, program: SyntaxNode): Import[] {
  const found: Import[] = [];
  for (const node of walk(program)) {
    // Import and export declarations, and `import("./x.ts")`.
    const source = node["source"] as SyntaxNode | undefined | null;
    const specifier = source?.["value"];
    if (typeof specifier !== "string" || !specifier.startsWith(".")) continue;
    const target = relative(projectRoot, join(projectRoot, dirname(path), specifier));
    const kind = node["importKind"] ?? node["exportKind"];
    found.push({ target: target.replaceAll("\\", "/"), typeOnly: kind === "type" });
  }
  return found;
}

/** The nodes directly below `node`, in the order of the text. */
export function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (const value of Object.values(node)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && typeof item === "object" && typeof item.type === "string") {
        found.push(item as SyntaxNode);
      }
    }
  }
  return found;
}

/** `node` and all below it. */
export function* walk(node: SyntaxNode): Generator<SyntaxNode> {
  yield node;
  for (const child of children(node)) yield* walk(child);
}

/** Number of the line, from 1, on which the character at `offset` stands. */
export function lineAt(file: SourceFile, offset: number): number {
  let line = 1;
  for (let index = 0; index < offset; index += 1) if (file.text[index] === "\n") line += 1;
  return line;
}
