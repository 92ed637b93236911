import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { openTestDirectory } from "../../test/support/test-directory.ts";

describe("docs/directory.md", () => {
  it("shows a file that can be applied", async () => {
    const text = await readFile("docs/directory.md", "utf8");
    const [, example = ""] = /```yaml\n(subjects:.*?)```/s.exec(text) ?? [];
    const test = await openTestDirectory();
    try {
      const plan = await test.apply(example);
      expect(plan.items).toHaveLength(7);
      expect(plan.warnings).toEqual([]);
    } finally {
      await test.dispose();
    }
  });
});
