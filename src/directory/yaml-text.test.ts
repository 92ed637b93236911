import { describe, expect, it } from "vitest";
import { readYaml } from "./yaml-text.ts";

function refusal(text: string): string {
  try {
    readYaml({ name: "x.yaml", text });
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing refused";
}

describe("readYaml()", () => {
  it.each([
    ["aliases", "a: &x [1]\nb: *x", "x.yaml:2:4: expected a value written out"],
    ["a key twice", "a: 1\na: 2", "x.yaml:2:1: expected each key once"],
    ["keys that are no text", "? [a]\n: b", "x.yaml:1:3: "],
    ["an integer that can't be kept", "a: 9007199254740993", "whole ones below 2^53"],
    ["what is no number", "a: .nan", "expected a finite number"],
    ["lone surrogates", 'a: "\\ud800"', "x.yaml:1:4: expected well-formed Unicode"],
    ["two documents", "a: 1\n---\nb: 2", "multiple documents"],
    ["33 levels", `${"[".repeat(40)}${"]".repeat(40)}`, "expected at most 32 levels of nesting"],
    ["levels beyond the stack", "[".repeat(10_000), "x.yaml: nested too deeply to be read"],
    ["binary values", "a: !!binary aGk=", "x.yaml:1:"],
  ])("refuses %s", (_, text, message) => {
    expect(refusal(text)).toContain(message);
  });

  it("takes __proto__ and constructor for names", () => {
    const { value } = readYaml({ name: "x.yaml", text: "__proto__: { a: 1 }\nconstructor: 2" });
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(Object.keys(value as object)).toEqual(["__proto__", "constructor"]);
  });

  it("reads JSON, and keeps what looks like a date a text", () => {
    const { value } = readYaml({ name: "x.yaml", text: '{"at": 2027-01-01T00:00:00Z, "n": null}' });
    expect({ ...(value as object) }).toEqual({ at: "2027-01-01T00:00:00Z", n: null });
  });
});
