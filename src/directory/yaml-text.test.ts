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
    ["aliases", "a: &x [1]\nb: [*x]", "x.yaml:2:5: b[0]: expected a value written out"],
    ["an alias of itself", "a: &x [*x]", "x.yaml:1:8: a[0]: expected a value written out"],
    ["a key twice", "a: { b: 1, b: 2 }", "x.yaml:1:12: a.b: expected each key once"],
    ["keys that are no text", "? [a]\n: b", "x.yaml:1:3: expected a text as key"],
    ["keys that are aliases", "&x a: 1\n*x : 2", "x.yaml:2:1: expected a text as key"],
    ["an integer that can't be kept", "a: 9007199254740993", "a: expected a finite number, whole"],
    ["what is no number", "a: .nan", "x.yaml:1:4: a: expected a finite number"],
    ["lone surrogates", 'a: "\\ud800"', "x.yaml:1:4: a: expected well-formed Unicode"],
    ["them in keys", 'a: { "\\ud800": 1 }', 'x.yaml:1:6: a["�"]: expected well-formed Unicode'],
    ["two documents", "a: 1\n---\nb: 2", "x.yaml:2:1: expected one document"],
    ["the rules of YAML 1.1", "# yes\n%YAML 1.1\n---\na: yes", "x.yaml:2:1: expected YAML 1.2"],
    ["33 levels", `${"[".repeat(40)}${"]".repeat(40)}`, "expected at most 32 levels of nesting"],
    ["levels beyond the stack", "[".repeat(10_000), "x.yaml: nested too deeply to be read"],
    ["binary values", "a: !!binary aGk=", "x.yaml:1:13: a: expected a value without a tag"],
    ["tags of somebody's own", "a: [!b c]", "x.yaml:1:8: a[0]: expected a value without a tag"],
    ["tags at a collection", "a: !!set { b }", "a: expected a value without a tag"],
    ["tags at a key", "!b a: 1", "x.yaml:1:1: expected a text as key"],
  ])("refuses %s", (_, text, message) => {
    expect(refusal(text)).toContain(message);
  });

  it("says a file's first field in the error", () => {
    const read = () => readYaml({ name: "x.yaml", text: "a: 1\nb: [.inf, .nan]" });
    expect(read).toThrow(expect.objectContaining({ field: "b[0]" }));
  });

  it("takes a file that says it is YAML 1.2", () => {
    const { value } = readYaml({ name: "x.yaml", text: "%YAML 1.2\n---\na: yes" });
    expect({ ...(value as object) }).toEqual({ a: "yes" });
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
