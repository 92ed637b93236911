import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { buildBundle } from "../../src/bundle/build-bundle.ts";
import { projectRoot } from "../support/source-files.ts";

const folder = mkdtempSync(join(tmpdir(), "postern-bundles-"));

afterAll(() => rmSync(folder, { recursive: true }));

describe("bundles/", () => {
  // `for app in platform gateway; do npx postern bundle build policies/$app -o bundles/$app.tar.gz`
  it.each(["platform", "gateway"])(
    "has %s as its policy builds it, byte for byte but for the compression",
    async (name) => {
      const output = join(folder, `${name}.tar.gz`);
      await buildBundle({ source: join(projectRoot, "policies", name), output });
      const committed = readFileSync(join(projectRoot, "bundles", `${name}.tar.gz`));
      // Another processor's zlib may find other matches.
      expect(gunzipSync(readFileSync(output)).equals(gunzipSync(committed))).toBe(true);
    },
  );
});
