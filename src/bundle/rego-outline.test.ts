import { describe, expect, it } from "vitest";
import { definesDocument, outlineRego } from "./rego-outline.ts";

const rulesOf = (text: string): string[] => [...outlineRego(text).rules].sort();

describe("outlineRego()", () => {
  it("reads the package, quoted parts included", () => {
    expect(outlineRego('# package no\n\npackage a.b["c-d"].e # x\n').package).toBe("a/b/c-d/e");
  });

  it.each([
    "deny if input.x",
    "deny := true",
    "deny contains msg if { msg := 1 }",
    "default deny := false",
    "default deny = false",
    "deny { input.x }",
    "deny[msg] { msg := input.x }",
    "deny = x { x := 1 }",
    "deny",
    "\tdeny if input.x",
    "allow if { true } deny if { true }",
    "allow if { true }; deny if { true }",
    "allow if {\n  true\n}\n\ndeny if {\n  true\n}",
  ])("finds deny in %j", (text) => {
    expect(rulesOf(`package p\n${text}\n`)).toContain("p/deny");
  });

  it("finds rules whose names have several parts", () => {
    expect(rulesOf('package p\na.deny if true\nb["deny"].c := 1\nd[x] if x := 1\n')).toEqual([
      "p/a/deny",
      "p/b/deny/c",
      "p/d",
    ]);
  });

  it("leaves out functions", () => {
    expect(rulesOf("package p\ndeny(x) if x\ndeny_all(x) := x\n")).toEqual([]);
  });

  it.each([
    "# deny if true",
    'x := "deny if true"',
    'x := "\\"; deny := true"',
    "x := `\ndeny if true\n`",
    "x := {\ndeny\n}",
    "x := [\ndeny,\n]",
    "x if {\n  deny := 1\n}",
    'x := $"{deny}\n{\ndeny\n}"',
    'x := $"{"\\""} deny { [1] }"\n',
    "x := $`\ndeny {\ndeny\n}\ndeny`",
    "import data.q.deny",
    "x if { true } else := deny",
  ])("finds no deny in %j", (text) => {
    expect(rulesOf(`package p\n${text}\ny := 1\n`)).toEqual(
      text.startsWith("#") || text.startsWith("import") ? ["p/y"] : ["p/x", "p/y"],
    );
  });

  it("ends at the end of unfinished text", () => {
    for (const text of ["`", '"', '$"', '$"{', "(((", "}}}", "package", 'package p["', "\\"]) {
      expect(() => outlineRego(text)).not.toThrow();
    }
  });
});

describe("definesDocument()", () => {
  const modules = [
    outlineRego("package a\nb.deny if true"),
    outlineRego("package a.c.deny\nx := 1"),
    outlineRego("package a.d.deny\nf(x) := x"),
    outlineRego("package a.e\ndenying := 1"),
  ];

  it("sees through names with parts, and packages with rules, of other modules", () => {
    expect(definesDocument(modules, "a/b/deny")).toBe(true);
    expect(definesDocument(modules, "a/c/deny")).toBe(true);
  });

  it("is not misled by functions or longer names", () => {
    expect(definesDocument(modules, "a/d/deny")).toBe(false);
    expect(definesDocument(modules, "a/e/deny")).toBe(false);
  });
});
