import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { TestDirectory } from "../../test/support/test-directory.ts";
import { noDeadline } from "../base/deadline.ts";
import type { DirectoryChange } from "./directory.ts";
import { renderPlan } from "./plan.ts";
import { renderDirectoryFile } from "./show.ts";

async function refusal(test: TestDirectory, text: string): Promise<readonly string[]> {
  try {
    await test.apply(text);
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return ["nothing refused"];
}

const platform = (part: string): string => `applications: { platform: { ${part} } }`;
const longIds = (count: number): string =>
  Array.from({ length: count }, (_, i) => `${i}${"é".repeat(127)}`).join(", ");
const assignedToA = (...assignments: string[]): string => `
subjects: [{ id: a }]
applications:
  platform:
    assignments: [${assignments.map((terms) => `{ subject: a, ${terms} }`).join(", ")}]
`;

/** What applying a file does, whatever the directory is kept in. */
export function applyContract(open: () => Promise<TestDirectory>): void {
  let test: TestDirectory;
  beforeAll(async () => {
    test = await open();
  });
  afterAll(() => test.dispose());
  afterEach(async () => {
    const shown = await test.directory.show();
    const removal = {
      subjects: shown.subjects?.map(({ id }) => ({ id, remove: true })),
      applications: Object.fromEntries(
        Object.entries(shown.applications ?? {}).map(([name, { roles, groupMappings }]) => [
          name,
          {
            roles: roles?.map((role) => ({ name: role.name, remove: true })) ?? [],
            groupMappings: groupMappings?.map(({ group }) => ({ group, remove: true })) ?? [],
          },
        ]),
      ),
    };
    await test.apply(JSON.stringify(removal));
  });

  describe("apply() of a file with mistakes", () => {
    it("reports all of them and changes nothing", async () => {
      await test.apply("subjects: [{ id: a }]");
      const before = await test.directory.show();
      const generation = await test.directory.generation(noDeadline);
      expect(
        await refusal(
          test,
          `
subjects:
  - { id: b, attributes: { roles: [admin] } }
  - { id: b, typ: user }
  - { id: "", disabled: no-way }
applications:
  platfrom: {}
  gateway:
    roles:
      - { name: Ops, permissions: ["Cluster:*", "Cluster:Explode"] }
    assignments:
      - { subject: b, roles: [Ops], expiresAt: 2026-02-30T00:00:00Z }
      - { subject: b }
`,
        ),
      ).toEqual([
        'test.yaml:3:35: subjects[0].attributes.roles: "roles" is reserved; expected another name',
        'test.yaml:4:19: subjects[1].typ: unknown key; did you mean "type"?',
        "test.yaml:5:25: subjects[2].disabled: expected true or false",
        'test.yaml:7:13: applications.platfrom: no application with a catalogue is called "platfrom"; ' +
          'did you mean "platform"?',
        'test.yaml:10:49: applications.gateway.roles[0].permissions[1]: "Cluster:Explode" is outside ' +
          "the catalogue of gateway; Cluster has View, Create, Update, Delete",
        "test.yaml:12:48: applications.gateway.assignments[0].expiresAt: " +
          '"2026-02-30T00:00:00Z": expected RFC 3339, such as 2027-01-01T00:00:00Z',
        "test.yaml:13:9: applications.gateway.assignments[1]: expected roles or permissions: " +
          "it names neither",
      ]);
      expect(await test.directory.show()).toEqual(before);
      expect(await test.directory.generation(noDeadline)).toBe(generation);
    });

    it.each([
      ["a subject twice", "subjects: [{ id: a }, { id: a }]", '"a" is there twice'],
      [
        "an id with a control character",
        'subjects: [{ id: "a\\0" }]',
        "without control characters",
      ],
      [
        "a reason that no text can have",
        assignedToA('roles: [user], reason: "a\\0b"'),
        "reason: expected a text without the character U+0000",
      ],
      ["a list at the top", "[]", "the file: expected a mapping of keys"],
      [
        "attributes that are too large",
        `subjects: [{ id: a, attributes: { x: "${"x".repeat(70_000)}" } }]`,
        "expected at most 65536 bytes as JSON",
      ],
      [
        "an unknown subject",
        platform("assignments: [{ subject: nobody, roles: [user] }]"),
        'assignments[0].subject: there is no subject "nobody"',
      ],
      [
        "an unknown role",
        assignedToA("roles: [usr]"),
        'there is no role "usr"; did you mean "user"?',
      ],
      [
        "inheritance from nowhere",
        platform("roles: [{ name: a, inheritsFrom: [developper] }]"),
        'there is no role "developper" to inherit from; did you mean "developer"?',
      ],
      [
        "a cycle through a system role",
        platform(
          "roles: [{ name: user, inheritsFrom: [a] }, { name: a, inheritsFrom: [developer] }]",
        ),
        "inheritance goes round: developer → user → a → developer",
      ],
      [
        "a network without a prefix",
        platform("roles: [{ name: a, restrictions: { ipWhitelist: [10.0.0.1] } }]"),
        '"10.0.0.1": expected a network such as 10.0.0.0/8',
      ],
      [
        "a network that is none",
        platform("roles: [{ name: a, restrictions: { ipWhitelist: [10.0.0.0/33] } }]"),
        "restrictions.ipWhitelist[0]",
      ],
      [
        "a misspelt restriction",
        platform("roles: [{ name: a, restrictions: { ipWhiteList: [10.0.0.0/8] } }]"),
        'restrictions.ipWhiteList: unknown key; did you mean "ipWhitelist"?',
      ],
      [
        "a limit that is a list",
        platform("roles: [{ name: a, restrictions: { jobs: [1] } }]"),
        "restrictions.jobs: expected a number, true, false, or a text",
      ],
      [
        "a star inside a scope",
        assignedToA("roles: [user], scope: { id: [a*b] }"),
        'scope.id[0]: "a*b": expected * at the end only',
      ],
      [
        "a scope that is too large",
        assignedToA(`roles: [user], scope: { id: [${longIds(8)}] }`),
        "scope: expected at most 2000 bytes as JSON",
      ],
      ["an empty scope", assignedToA("roles: [user], scope: {}"), "leave scope out for everywhere"],
      [
        "an application without a catalogue",
        "applications: { __proto__: {} }",
        "no application with a catalogue",
      ],
      [
        "the same assignment twice",
        assignedToA("roles: [user]", "roles: [user]"),
        '"a role:user" is there twice',
      ],
    ])("refuses %s", async (_, text, message) => {
      expect((await refusal(test, text)).join("\n")).toContain(message);
      expect(await test.directory.show()).toEqual({ subjects: [], applications: {} });
    });

    it("refuses to delete a role that is inherited or assigned, by name", async () => {
      await test.apply(`
subjects: [{ id: a }]
applications:
  platform:
    roles: [{ name: base }, { name: heir, inheritsFrom: [base] }, { name: given }]
    assignments: [{ subject: a, roles: [given] }]
`);
      expect(await refusal(test, platform("roles: [{ name: base, remove: true }]"))).toEqual([
        'test.yaml:1:37: applications.platform.roles[0]: role "base" stays: "heir" inherits from it',
      ]);
      expect(await refusal(test, platform("roles: [{ name: given, remove: true }]"))).toEqual([
        'test.yaml:1:37: applications.platform.roles[0]: role "given" stays: 1 assignment(s) give it, ' +
          'the first to "a"',
      ]);
      const plan = await test.apply(
        platform(
          "roles: [{ name: given, remove: true }, { name: base, remove: true }, { name: heir }], " +
            "assignments: [{ subject: a, roles: [given], remove: true }]",
        ),
      );
      expect(plan.items.map(({ action, name }) => `${action} ${name}`)).toEqual([
        "change heir",
        "remove base",
        "remove given",
        "remove a role:given",
      ]);
    });

    it("refuses inheritance that is too deep", async () => {
      const roles = Array.from({ length: 40 }, (_, i) => ({
        name: `r${i}`,
        inheritsFrom: i < 39 ? [`r${i + 1}`] : [],
      }));
      const text = JSON.stringify({ applications: { platform: { roles } } });
      expect((await refusal(test, text)).join("\n")).toContain("inheritance is too deep: r0 → r1");
    });
  });

  describe("apply()", () => {
    it("takes a limit whose name only looks like a demand", async () => {
      const plan = await test.apply(platform("roles: [{ name: a, restrictions: { max: 1 } }]"));
      expect(plan.items[0]?.details).toContain('limits: {} → {"max":1}');
    });

    it("does nothing the second time", async () => {
      const text = await readFile("examples/quickstart-directory.yaml", "utf8");
      const first = await test.apply(text);
      const second = await test.apply(text);
      expect(first.items.length).toBeGreaterThan(15);
      expect(second.items).toEqual([]);
      expect(second.generation).toBe(first.generation);
    });

    it("plans without changing anything on a dry run", async () => {
      const generation = await test.directory.generation(noDeadline);
      const plan = await test.apply("subjects: [{ id: a }]", { dryRun: true });
      expect(plan).toMatchObject({ dryRun: true, generation });
      expect(plan.items).toMatchObject([{ action: "add", kind: "subject", name: "a" }]);
      expect((await test.directory.show()).subjects).toEqual([]);
      expect(await test.directory.generation(noDeadline)).toBe(generation);
    });

    it("prints again what it was given", async () => {
      await test.apply(await readFile("examples/quickstart-directory.yaml", "utf8"));
      const shown = await test.directory.show();
      const other = await open();
      try {
        await other.apply(renderDirectoryFile(shown));
        expect(await other.directory.show()).toEqual(shown);
        for (const { id } of shown.subjects ?? []) {
          for (const application of ["platform", "gateway"]) {
            const [a, b] = await Promise.all(
              [test, other].map(({ directory }) => directory.resolve(application, id, noDeadline)),
            );
            expect({ ...b, generation: 0 }).toEqual({ ...a, generation: 0 });
          }
        }
      } finally {
        await other.dispose();
      }
    });

    it("customises a system role, keeps what the entry leaves out, and resets it", async () => {
      const customise = await test.apply(
        platform("roles: [{ name: developer, permissions: [agent:read] }]"),
      );
      expect(customise.items).toMatchObject([{ action: "change", name: "developer" }]);
      expect(customise.items[0]?.details[0]).toContain("- workflow:update");
      const { applications } = await test.directory.show();
      expect(applications?.["platform"]?.roles).toMatchObject([
        { inheritsFrom: ["user"], restrictions: { mfa: "recommended" } },
      ]);
      const reset = await test.apply(platform("roles: [{ name: developer, remove: true }]"));
      expect(reset.items).toMatchObject([{ action: "reset", name: "developer" }]);
      expect((await test.directory.show()).applications).toEqual({});
    });

    it("warns of groups that get a manual role, or one that does not exist", async () => {
      const plan = await test.apply(
        platform("groupMappings: [{ group: ops, roles: [admin, later] }]"),
      );
      expect(plan.warnings).toEqual([
        'test.yaml:1:45: applications.platform.groupMappings[0]: role "admin" is meant to be assigned ' +
          'by hand; every member of "ops" gets it',
        'test.yaml:1:45: applications.platform.groupMappings[0]: there is no role "later" yet: ' +
          "members get nothing by it",
      ]);
    });

    it("announces who is touched, and all where a role changes", async () => {
      const changes: DirectoryChange[] = [];
      const unwatch = test.directory.watch((change) => changes.push(change));
      const first = await test.apply("subjects: [{ id: a }, { id: b }]");
      const second = await test.apply(
        platform(
          "assignments: [{ subject: b, permissions: [agent:read], expiresAt: 2027-01-01T00:00:00Z }]",
        ),
      );
      const third = await test.apply(platform("roles: [{ name: x }]"));
      unwatch();
      await test.apply("subjects: [{ id: a, remove: true }]");
      expect(changes).toEqual([
        { generation: first.generation, subjects: ["a", "b"] },
        { generation: second.generation, subjects: ["b"] },
        { generation: third.generation, subjects: "all" },
      ]);
    });

    it("takes __proto__ and constructor for names of subjects, attributes, groups and scopes", async () => {
      const text = `
subjects:
  - { id: __proto__, groups: [constructor], attributes: { __proto__: { a: 1 }, constructor: x } }
  - { id: constructor }
applications:
  platform:
    roles: [{ name: constructor, permissions: [agent:manage] }]
    assignments:
      - { subject: __proto__, roles: [constructor], scope: { __proto__: [y] } }
`;
      await test.apply(text);
      expect((await test.apply(text)).items).toEqual([]);
      const set = await test.directory.resolve("platform", "__proto__", noDeadline);
      expect(Object.keys(set.attributes).sort()).toEqual(["__proto__", "constructor"]);
      expect(set.groups).toEqual(["constructor"]);
      const granted = set.classes.find(({ conditions }) => conditions.scope !== undefined);
      expect(Object.entries(granted?.conditions.scope ?? {})).toEqual([["__proto__", ["y"]]]);
    });

    it("takes the longest names and the largest scope that there may be", async () => {
      const subject = "é".repeat(128);
      const text = JSON.stringify({
        subjects: [{ id: subject, groups: ["g".repeat(256)], attributes: { a: "\0\u2028" } }],
        applications: {
          platform: {
            roles: [{ name: "r".repeat(63) }],
            assignments: [
              { subject, roles: ["r".repeat(63)], scope: { id: longIds(7).split(", ") } },
              { subject, permissions: ["agent:read"], scope: { id: longIds(7).split(", ") } },
            ],
          },
        },
      });
      expect((await test.apply(text)).items).toHaveLength(4);
      expect((await test.apply(text)).items).toEqual([]);
    });

    it("removes a subject with all it has, and nothing for what is not there", async () => {
      await test.apply(`
subjects: [{ id: a, groups: [g] }]
${platform("assignments: [{ subject: a, roles: [admin], permissions: [agent:read] }]")}
`);
      await test.apply("subjects: [{ id: a, remove: true }]");
      expect((await test.apply("subjects: [{ id: a, remove: true }]")).items).toEqual([]);
      await test.apply("subjects: [{ id: a }]");
      const set = await test.directory.resolve("platform", "a", noDeadline);
      expect(set.groups).toEqual([]);
      expect(set.classes.flatMap(({ grants }) => grants).map(({ role }) => role)).toEqual(["user"]);
    });

    it("tells names apart and orders them by their bytes, whatever the database's locale", async () => {
      const ids = ["B", "Z", "a", "z", "\u00e9", "e\u0301"];
      await test.apply(JSON.stringify({ subjects: ids.map((id) => ({ id, groups: ids })) }));
      const bytewise = ["B", "Z", "a", "e\u0301", "z", "\u00e9"];
      const { subjects = [] } = await test.directory.show();
      expect(subjects.map(({ id }) => id)).toEqual(bytewise);
      expect(subjects[0]?.groups).toEqual(bytewise);
    });

    it("writes a thousand subjects, and names them in the plan", async () => {
      const subjects = Array.from({ length: 1_200 }, (_, i) => ({ id: `s${i}`, groups: ["g"] }));
      const plan = await test.apply(JSON.stringify({ subjects }));
      expect(plan.items).toHaveLength(1_200);
      expect((await test.directory.show()).subjects).toHaveLength(1_200);
    });
  });

  describe("renderPlan()", () => {
    it("shows changes as lines that no text from the file can forge", async () => {
      await test.apply("subjects: [{ id: a, groups: [x, y] }]");
      const plan = await test.apply(`
subjects: [{ id: a, groups: [y, z] }]
${platform('roles: [{ name: r, description: "a\\n+ subject admin" }]')}
`);
      expect(renderPlan(plan)).toBe(
        `~ subject a
    groups: + z, - x
+ role platform r
    description:  → a\\u000a+ subject admin
    assignment: group
1 added, 1 changed, 0 removed, 0 reset. Generation ${plan.generation}.
`,
      );
    });
  });
}
