import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { termInteger } from "../term-value.ts";
import { BuiltinLimit, BuiltinUnsupported } from "./builtin.ts";
import { ITEMS_MAX } from "./limits.ts";
import { regexBuiltins } from "./regex.ts";

const PATTERNS = [
  "a",
  "a*",
  "a+",
  "",
  "(a)(b)?",
  "(?P<x>a)(?<y>b)",
  "(?i)A",
  "^",
  "$",
  "^a",
  "a$",
  "b|",
  "\\b",
  "\\B",
  "x*",
  "[[:alpha:]]+",
  "\\pL+",
  "\\p{Greek}+",
  "\\Qa.b\\E",
  "a{2}",
  "a{1001}",
  "a{,2}",
  "(?!x)",
  "(?=a)",
  "(?<=a)b",
  "\\1",
  "x**",
  "a??",
  "(?s).",
  "(?m)^.",
  "\\C",
  "\\z",
  "\\Z",
  "\\A.",
  "(?U)a+",
  "(",
  "[z-a]",
  "\\d+",
  "\\w+",
  "é",
  "😀",
  "[^a]",
  "\\x{1F600}",
  ".",
  "(?i)k",
  "\\s",
  "[\\s\\S]",
  "a|ab",
  "(a|ab)(c|bcd)",
  "(?:a)",
  "\\N",
  "\\h",
  "[\\d-z]",
  "\\pN",
  "(?i)ſ",
  "\\u0061",
  "(a+)(a+)",
  "a*?",
  "(|a)*",
  "(|a)+",
  "()",
  "\\n",
  "(?x)a b",
  "\\p{Han}",
  "\\PN",
  "[[:word:]]",
  "\\07",
  "a{2,1}",
  "(?i)straße",
  "(a){0}",
  "[a&&b]",
];

const TEXTS = [
  "",
  "a",
  "aaa",
  "baab",
  "abab",
  "AaBb",
  "éa😀é",
  "line1\nline2\n",
  "a.b",
  "x1y22z",
  "Kk\u212a",
  "日本語a",
  "   ",
  "ac abcd",
  "ſs",
];

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the templates of RE2 look alike
const REPLACEMENTS = [
  "X",
  "$1",
  "${1}x",
  "$1x",
  "$x",
  "${x}-${y}",
  "$$",
  "$",
  "${",
  "$0$0",
  "${01}",
  "$9",
  "a$",
  "${é}",
  "$é",
  "\\1",
  "$10",
];
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: the rest has none

/** Template, text and delimiters. */
const TEMPLATES = [
  ["urn:foo:{.*}", "urn:foo:bar", "{", "}"],
  ["urn:foo:<[0-9]+>", "urn:foo:12", "<", ">"],
  ["urn:foo:<[0-9]+>", "urn:foo:x", "<", ">"],
  ["a{b", "ab", "{", "}"],
  ["a}b", "ab", "{", "}"],
  ["a{[}b", "ab", "{", "}"],
  ["a{x{2}}b", "axxb", "{", "}"],
  ["a.c", "abc", "{", "}"],
  ["a.c", "a.c", "{", "}"],
  ["a", "a", "{{", "}"],
  ["a", "a", "é", "}"],
  ["{a}{b}", "ab", "{", "}"],
  ["a", "a\n", "{", "}"],
  ["a|b", "a", "{", "}"],
  ["{a|b}c", "bc", "{", "}"],
  ["a~b~", "ab", "~", "~"],
];

const argumentsOf = (...texts: readonly string[]): string =>
  texts.map((text) => JSON.stringify(text)).join();

const pairs = PATTERNS.flatMap((pattern) => TEXTS.map((text) => argumentsOf(pattern, text)));

describe("regexBuiltins", () => {
  it("agree with OPA on matches", () => {
    const lists = pairs.flatMap((pair) => ["-1", "2"].map((n) => `${pair},${n}`));
    expect(disagreements(regexBuiltins, callsOf("regex.find_n", ...lists))).toEqual([]);
  });

  it("agree with OPA on parts between matches", () => {
    expect(disagreements(regexBuiltins, callsOf("regex.split", ...pairs))).toEqual([]);
  });

  it("agree with OPA on replacements", () => {
    const calls = callsOf(
      "regex.replace",
      '1,"a","b"',
      ...PATTERNS.flatMap((pattern) => TEXTS.map((text) => argumentsOf(text, pattern, "<$0>"))),
      ...REPLACEMENTS.flatMap((replacement) =>
        ["(a)(b)?", "(?P<x>a)(?<y>b)", "(?P<é>a)"].map((pattern) =>
          argumentsOf("abab", pattern, replacement),
        ),
      ),
    );
    expect(disagreements(regexBuiltins, calls)).toEqual([]);
  });

  it("agree with OPA on templates", () => {
    const lists = TEMPLATES.map((list) => argumentsOf(...list));
    expect(disagreements(regexBuiltins, callsOf("regex.template_match", ...lists))).toEqual([]);
  });

  it("refuse groups of the same name, which OPA takes", () => {
    const args = ["(?P<n>a)(?P<n>b)", "ab"];
    expect(() => regexBuiltins["regex.split"]!(args, builtinContext())).toThrow(BuiltinUnsupported);
  });

  it("refuse results and patterns that are too large", () => {
    const text = "a".repeat(ITEMS_MAX + 1);
    expect(() => regexBuiltins["regex.split"]!(["a", text], builtinContext())).toThrow(
      BuiltinLimit,
    );
    expect(() => regexBuiltins["regex.split"]!([text, "a"], builtinContext())).toThrow(
      BuiltinLimit,
    );
    const growth = [text, "a", "a".repeat(1000)];
    expect(() => regexBuiltins["regex.replace"]!(growth, builtinContext())).toThrow(BuiltinLimit);
    const large = ["(?:a{1000}){1}".repeat(9), text];
    expect(() => regexBuiltins["regex.split"]!(large, builtinContext())).toThrow(BuiltinLimit);
    const template = [`<${large[0]}>`, text, "<", ">"];
    expect(() => regexBuiltins["regex.template_match"]!(template, builtinContext())).toThrow(
      BuiltinLimit,
    );
  });

  it("end a search that would be quadratic in a long text", () => {
    const args = ["a*b|a", "a".repeat(200_000), termInteger(-1)];
    expect(() => regexBuiltins["regex.find_n"]!(args, builtinContext())).toThrow(BuiltinLimit);
  });

  it("take no exponential time", () => {
    const args = [`${"a".repeat(5000)}!`, "(a+)+$", "x"];
    expect(regexBuiltins["regex.replace"]!(args, builtinContext())).toBe(args[0]);
  });
});
