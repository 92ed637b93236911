import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { opaVersionOn } from "./opa-version.ts";

const root = mkdtempSync(join(tmpdir(), "postern-opa-version-"));
afterAll(() => rmSync(root, { recursive: true }));

function folderWith(script: string): string {
  const folder = mkdtempSync(join(root, "bin-"));
  writeFileSync(join(folder, "opa"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return folder;
}

describe("opaVersionOn()", () => {
  it("knows no version where there is no opa, or one that says none", () => {
    expect(opaVersionOn(root)).toBeUndefined();
    expect(opaVersionOn(folderWith("exit 1"))).toBeUndefined();
    expect(opaVersionOn(folderWith("echo hello"))).toBeUndefined();
  });

  it("tells the version of the first", () => {
    const old = folderWith("echo 'Version: 0.9.1'; echo 'Go Version: go1.2'");
    const fit = folderWith("echo 'Version: 1.22.2'");
    expect(opaVersionOn([root, fit, old].join(delimiter))).toBe("1.22.2");
    expect(opaVersionOn([old, fit].join(delimiter))).toBe("0.9.1");
  });
});
