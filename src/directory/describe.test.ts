import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openTestDirectory } from "../../test/support/test-directory.ts";
import { noDeadline } from "../base/deadline.ts";

const catalogue = (mappings: string): string => `
application: tiny
resourceTypes:
  - { name: door, description: Doors, actions: [{ id: 1, name: open, description: Open }] }
groupMappings: [${mappings}]
`;

describe("apply() of a reset that changes nothing but whose an entry is", () => {
  it("has a line in the plan and a generation: a manual role is gone from the group", async () => {
    const test = await openTestDirectory();
    const cataloguesFolder = test.folder;
    const file = join(cataloguesFolder, "tiny.yaml");
    await writeFile(file, catalogue(""));
    const before = await test.openAnother({ cataloguesFolder });
    await before.apply(`
subjects: [{ id: a, groups: [ops] }]
applications:
  tiny:
    roles: [{ name: keeper, assignment: manual, permissions: [door:open] }]
    groupMappings: [{ group: ops, roles: [keeper] }]
`);
    await before.dispose();

    // The catalogue comes to say what the operator has said: it stays the operator's word.
    await writeFile(file, catalogue("{ group: ops, roles: [keeper] }"));
    const after = await test.openAnother({ cataloguesFolder });
    const held = await after.directory.resolve("tiny", "a", noDeadline);
    expect(held.classes).toHaveLength(1);

    const text = "applications: { tiny: { groupMappings: [{ group: ops, remove: true }] } }";
    const plan = await after.apply(text);
    expect(plan.items).toMatchObject([{ action: "reset", kind: "mapping", name: "ops" }]);
    expect(plan.generation).toBe(held.generation + 1);
    const left = await after.directory.resolve("tiny", "a", noDeadline);
    expect(left).toMatchObject({ classes: [], generation: plan.generation });
    expect((await after.apply(text)).items).toEqual([]);
    await after.dispose();
    await test.dispose();
  });
});
