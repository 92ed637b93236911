import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../support/source-files.ts";

/** Standard output of `opa`; throws with its standard error if it exits with a failure. */
function opa(...args: readonly string[]): string {
  return execFileSync("opa", args, { cwd: projectRoot, encoding: "utf8" });
}

const folders = [
  ...["policies/platform", "policies/gateway", "examples/billing"],
  ...["examples/envoy/policy", "examples/envoy/routes/policy", "examples/envoy/body/policy"],
];

describe.each(folders)("%s", (folder) => {
  it("passes its own tests, which cover every line", () => {
    expect(() => opa("test", "--threshold", "100", folder)).not.toThrow();
  });

  it("is formatted as opa fmt would", () => {
    expect(opa("fmt", "--list", folder)).toBe("");
  });

  it("passes opa's strict checks", () => {
    expect(() => opa("check", "--strict", folder)).not.toThrow();
  });
});
