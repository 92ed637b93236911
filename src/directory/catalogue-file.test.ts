import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { patternCovers } from "../decision/names.ts";
import { type CatalogueDefinition, parseCatalogue } from "./catalogue-file.ts";

async function shipped(name: string): Promise<CatalogueDefinition> {
  return parseCatalogue({ name, text: await readFile(`catalogues/${name}.yaml`, "utf8") });
}

function covered({ catalogue, roles }: CatalogueDefinition, role: string): number[] {
  const patterns = roles.get(role)!.permissions;
  return [...catalogue.permissions.values()]
    .filter(({ resource, action }) =>
      patterns.some((pattern) => patternCovers(pattern, resource, action)),
    )
    .map(({ id }) => id);
}

function refusal(text: string): string {
  try {
    parseCatalogue({ name: "x.yaml", text });
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing refused";
}

const tiny = `
application: tiny
resourceTypes:
  - { name: door, description: Doors, actions: [{ id: 1, name: open, description: Open it }] }
`;

describe("catalogues/gateway.yaml", () => {
  it("has 42 permissions in 14 resource types, ids 1 to 42 in order", async () => {
    const { catalogue } = await shipped("gateway");
    expect(catalogue.resourceTypes.size).toBe(14);
    expect([...catalogue.permissions.values()].map(({ id }) => id)).toEqual(
      Array.from({ length: 42 }, (_, i) => i + 1),
    );
    expect(catalogue.permissions.get("AdaptiveRouter:View")?.id).toBe(42);
    expect(catalogue.permissions.get("MCPGateway:Delete")?.id).toBe(41);
  });

  it("gives Admin 42, Developer 27 and Viewer 14", async () => {
    const gateway = await shipped("gateway");
    expect(covered(gateway, "Admin")).toHaveLength(42);
    expect(covered(gateway, "Developer")).toHaveLength(27);
    expect(covered(gateway, "Viewer")).toEqual([
      1, 2, 6, 10, 14, 18, 22, 23, 24, 28, 32, 36, 38, 42,
    ]);
  });
});

describe("catalogues/platform.yaml", () => {
  it("has the seed's table and what the seed uses besides", async () => {
    const { catalogue } = await shipped("platform");
    const table = Object.fromEntries(
      [...catalogue.resourceTypes.values()].map(({ name, actions }) => [name, actions.join(" ")]),
    );
    expect(table).toEqual({
      agent: "read execute manage",
      workflow: "read create update delete execute approve",
      mesh: "register communicate discover",
      tracer: "read analyze",
      mcp: "connect discover manage",
      compliance: "read validate report",
      admin: "configure audit manage",
      model: "train deploy",
      dataset: "read create update delete",
      ollama: "inference",
    });
  });

  it("gives the roles what the seed says", async () => {
    const platform = await shipped("platform");
    expect(
      ["admin", "developer", "user", "service.agent-brain"].map(
        (role) => covered(platform, role).length,
      ),
    ).toEqual([30, 9, 3, 4]);
    expect(platform.roles.get("admin")).toMatchObject({
      assignment: "manual",
      restrictions: { mfa: "required", ipWhitelist: ["10.0.0.0/8", "192.168.0.0/16"] },
    });
    expect(platform.roles.get("service.agent-brain")?.restrictions.authentication).toBe("mtls");
  });

  it("maps no group to the role that is assigned by hand", async () => {
    const { mappings } = await shipped("platform");
    expect([...mappings.keys()]).toEqual(["llm-platform/developers", "llm-platform/ml-team"]);
  });
});

describe("parseCatalogue()", () => {
  it("reports everything at once, with line, column and field", () => {
    expect(
      refusal(`
application: Tiny
resourceTypes:
  - name: "do:or"
    description: Doors
    actions:
      - { id: 1, name: open, description: Open it }
      - { id: 1, name: "*", description: Anything }
`).split("\n"),
    ).toEqual([
      "x.yaml:2:14: application: expected a-z, 0-9 and -, a letter first, at most 63",
      'x.yaml:4:11: resourceTypes[0].name: "do:or": expected a letter, then letters, digits, _ . -, ' +
        "at most 63 characters",
      'x.yaml:8:24: resourceTypes[0].actions[1].name: "*": expected a letter, then letters, digits, ' +
        "_ . -, at most 63 characters",
      "x.yaml:8:15: resourceTypes[0].actions[1].id: 1 is do:or:open's",
    ]);
  });

  it.each([
    ["a misspelt key", `${tiny}rolls: []`, 'rolls: unknown key; did you mean "roles"?'],
    ["a missing key", "application: tiny", "resourceTypes: is missing"],
    ["another type", "application: 3\nresourceTypes: {}", "application: expected a text"],
    [
      "an unknown pattern",
      `${tiny}roles: [{ name: a, permissions: [door:opne] }]`,
      '"door:opne" is outside the catalogue of tiny; did you mean "open"?',
    ],
    [
      "a wildcard that covers nothing",
      `${tiny}roles: [{ name: a, permissions: ["gate:*"] }]`,
      '"gate:*" is outside the catalogue of tiny',
    ],
    [
      "inheritance from nowhere",
      `${tiny}roles: [{ name: a, inheritsFrom: [b] }]`,
      '"a" inherits from no role "b"',
    ],
    [
      "a cycle",
      `${tiny}roles: [{ name: a, inheritsFrom: [b] }, { name: b, inheritsFrom: [a] }]`,
      "inheritance goes round: a → b → a",
    ],
    ["a role twice", `${tiny}roles: [{ name: a }, { name: a }]`, 'role "a" is there twice'],
    [
      "a group for a manual role",
      `${tiny}roles: [{ name: a, assignment: manual }]\ngroupMappings: [{ group: g, roles: [a] }]`,
      'role "a" is assigned by hand only',
    ],
    ["text that is no YAML", "application: [", "x.yaml:1:15: "],
  ])("refuses %s", (_, text, message) => {
    expect(refusal(text)).toContain(message);
  });

  it("lets a mapping name a role that does not exist yet", () => {
    const { mappings } = parseCatalogue({
      name: "x.yaml",
      text: `${tiny}groupMappings: [{ group: g, roles: [later], permissions: [door:open] }]`,
    });
    expect(mappings.get("g")?.roles).toEqual(["later"]);
  });
});
