// Holds the budgets and directions of CONTRIBUTING.md, so that no reviewer has to. Each rule lists
// what breaks it, with what to do instead.
import { describe, expect, it } from "vitest";
import {
  lineAt,
  readSourceFiles,
  type SourceFile,
  type SyntaxNode,
  walk,
} from "./support/source-files.ts";

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const LINE_COLUMNS_MAX = 110;
const PARAMETERS_MAX = 3;

const files = readSourceFiles();
const sources = files.filter((file) => file.path.startsWith("src/"));
const product = sources.filter((file) => !isTest(file.path));

describe("sizes", () => {
  it("keeps files readable in one sitting", () => {
    const long = files.filter((file) => file.lines.length > FILE_LINES_MAX + 1);
    expect(long.map((file) => `${file.path}: ${file.lines.length} lines; split it`)).toEqual([]);
  });

  it("keeps lines within the width of a page", () => {
    const wide = files.flatMap((file) =>
      file.lines.flatMap((line, index) =>
        line.length > LINE_COLUMNS_MAX ? [`${file.path}:${index + 1}: ${line.length} columns`] : [],
      ),
    );
    expect(wide).toEqual([]);
  });

  it("keeps functions on one screen", () => {
    expect(functionsOf(product).flatMap(({ file, node }) => tooLong(file, node))).toEqual([]);
  });

  it("names arguments once there are more than three", () => {
    const crowded = functionsOf(product).filter(({ node }) => parametersOf(node) > PARAMETERS_MAX);
    expect(
      crowded.map(
        ({ file, node }) =>
          `${file.path}:${lineAt(file, node.start)}: ${parametersOf(node)} parameters; ` +
          "pass one object of named things",
      ),
    ).toEqual([]);
  });
});

describe("architecture", () => {
  it("imports only in the directions of docs/architecture.md", () => {
    expect(product.flatMap(wrongDirections)).toEqual([]);
  });

  it("has no import cycles", () => {
    expect(importCycles(product)).toEqual([]);
  });

  it("has no folder that could hold anything", () => {
    const vague = /\/(utils?|helpers?|common|services|types|core|lib)\//;
    expect(files.map((file) => file.path).filter((path) => vague.test(path))).toEqual([]);
  });

  it("has no module that nothing uses", () => {
    const used = new Set(product.flatMap((file) => file.imports.map((item) => item.target)));
    const entries = product.filter((file) =>
      // Workers are started by path: `new URL("./prepare-worker.ts", import.meta.url)`.
      product.some((other) =>
        other.text.includes(`"./${file.path.split("/").pop()}", import.meta`),
      ),
    );
    for (const entry of entries) used.add(entry.path);
    used.add("src/main.ts");
    expect(product.map((file) => file.path).filter((path) => !used.has(path))).toEqual([]);
  });
});

/** Text that may not occur, where it may all the same, and what to use instead. */
const BANNED: readonly { pattern: RegExp; allowed: RegExp; instead: string }[] = [
  {
    pattern: /\bDate\.now\b|\bperformance\.now\b/,
    allowed: /^src\/base\//,
    instead: "a handed-in Clock",
  },
  { pattern: /\bconsole\./, allowed: /^$/, instead: "the handed-in Logger" },
  { pattern: /\bprocess\.env\b/, allowed: /^src\/config\//, instead: "the configuration" },
  {
    pattern: /\bJSON\.parse\b/,
    // Strings, arrays of strings, and what this program has written itself have no such names.
    allowed: /^src\/(base\/read-json|bundle\/rego-outline|engine\/term|cache\/set-codec|cli\/)/,
    instead: "readJson, which gives members their own names",
  },
  { pattern: /\bTODO\b|\bFIXME\b|\bXXX\b/, allowed: /^$/, instead: "docs/roadmap.md" },
];

describe("words", () => {
  it("uses nothing banned", () => {
    const found = product.flatMap((file) =>
      file.lines.flatMap((line, index) =>
        BANNED.filter(({ allowed }) => !allowed.test(file.path))
          .filter(({ pattern }) => pattern.test(withoutComment(line)))
          .map(({ instead }) => `${file.path}:${index + 1}: ${line.trim()}; use ${instead}`),
      ),
    );
    expect(found).toEqual([]);
  });

  it("keys no cache by JSON", () => {
    // What a value consists of is no key.
    const keyed = product.filter(
      (file) =>
        file.path.startsWith("src/cache/") &&
        file.path !== "src/cache/set-codec.ts" &&
        file.text.includes("JSON.stringify"),
    );
    expect(keyed.map((file) => `${file.path}: use a length-prefixed key`)).toEqual([]);
  });

  it("says of every exported function and class what it is for", () => {
    expect(product.flatMap(undocumentedExports)).toEqual([]);
  });
});

/** What a folder of `src/` may import: `"types"` only with `import type`. */
const DIRECTIONS: Readonly<Record<string, Readonly<Record<string, "all" | "types">>>> = {
  base: {},
  decision: { base: "all" },
  engine: { base: "all", decision: "all" },
  bundle: { base: "all", decision: "all", engine: "types" },
  directory: { base: "all", decision: "all" },
  cache: { base: "all", decision: "all" },
  pipeline: {
    base: "all",
    decision: "all",
    engine: "types",
    bundle: "types",
    directory: "types",
    cache: "types",
  },
  telemetry: { base: "all" },
  grpc: { base: "all", decision: "all", pipeline: "types" },
  admin: { base: "all", decision: "all", pipeline: "types", directory: "types", bundle: "types" },
};

function wrongDirections(file: SourceFile): string[] {
  const from = folderOf(file.path);
  if (from === undefined || from === "cli") return [];
  return file.imports.flatMap((item) => {
    const to = folderOf(item.target);
    if (to === from) return [];
    if (from === "config" && item.target.endsWith("/options.ts")) return [];
    const allowed = to === undefined ? undefined : (DIRECTIONS[from] ?? { base: "all" })[to];
    if (allowed === "all" || (allowed === "types" && item.typeOnly)) return [];
    const how =
      allowed === "types" ? "import its types only" : "this direction is not in the design";
    return [`${file.path} imports ${item.target}; ${how}`];
  });
}

function importCycles(all: readonly SourceFile[]): string[] {
  const byPath = new Map(all.map((file) => [file.path, file]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      cycles.push([...trail.slice(start), path].join(" → "));
      return;
    }
    if (done.has(path)) return;
    for (const item of byPath.get(path)?.imports ?? []) {
      if (!item.typeOnly) visit(item.target, [...trail, path]);
    }
    done.add(path);
  };
  for (const file of all) visit(file.path, []);
  return cycles;
}

const FUNCTION_TYPES = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/;

function functionsOf(all: readonly SourceFile[]): { file: SourceFile; node: SyntaxNode }[] {
  return all.flatMap((file) =>
    [...walk(file.program)]
      .filter((node) => FUNCTION_TYPES.test(node.type))
      .map((node) => ({ file, node })),
  );
}

function tooLong(file: SourceFile, node: SyntaxNode): string[] {
  const first = lineAt(file, node.start);
  const length = lineAt(file, node.end) - first + 1;
  return length > FUNCTION_LINES_MAX ? [`${file.path}:${first}: ${length} lines; split it`] : [];
}

function parametersOf(node: SyntaxNode): number {
  const params = node["params"] as SyntaxNode | SyntaxNode[];
  return Array.isArray(params) ? params.length : (params["items"] as SyntaxNode[]).length;
}

function undocumentedExports(file: SourceFile): string[] {
  const body = file.program["body"] as SyntaxNode[];
  return body
    .filter((node) => node.type === "ExportNamedDeclaration" && node["declaration"])
    .filter((node) => /Function|Class/.test((node["declaration"] as SyntaxNode).type))
    .filter((node) => !file.text.slice(0, node.start).trimEnd().endsWith("*/"))
    .map((node) => `${file.path}:${lineAt(file, node.start)}: say what it is for in a sentence`);
}

function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function isTest(path: string): boolean {
  return /\.(test|contract)\.ts$/.test(path);
}

function withoutComment(line: string): string {
  return /^\s*(\/\/|\*|\/\*)/.test(line) ? "" : line;
}
