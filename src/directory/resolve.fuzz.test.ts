import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PostgresServer, startPostgres } from "../../test/support/postgres.ts";
import { openTestDirectory, type TestDirectory } from "../../test/support/test-directory.ts";
import { noDeadline } from "../base/deadline.ts";
import type { ConditionClass, Conditions } from "../decision/permission-set.ts";
import type { ApplicationModel } from "./application-model.ts";
import { expandGrants } from "./expand-grants.ts";
import { noRestrictions, type Restrictions, type RoleRecord } from "./records.ts";

/**
 * Roles `r0`…`rn` inherit only from later ones. The reference follows every path one by one and
 * asks of each step whether the request satisfies it; the resolver must come to the same roles and
 * patterns in every request.
 */
interface World {
  readonly roles: readonly RoleRecord[];
  readonly given: readonly { readonly role: string; readonly project: string | undefined }[];
  readonly direct: readonly string[];
  readonly groups: readonly string[];
  readonly mappings: readonly {
    readonly group: string;
    readonly roles: readonly string[];
    readonly permissions: readonly string[];
  }[];
}

/** Of a request, what conditions look at. */
interface Situation {
  readonly isMfaFresh: boolean;
  readonly isMtls: boolean;
  readonly project: string;
  /** Networks that contain the address. */
  readonly networks: readonly string[];
}

const NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "fd00::/8"];
const PATTERNS = ["agent:read", "agent:*", "*:read", "workflow:execute", "mesh:discover"];
const PROJECTS = ["alpha", "beta"];
const GROUPS = ["g0", "g1"];
const ROLES_MAX = 6;

const restrictions: fc.Arbitrary<Restrictions> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(noRestrictions) },
  {
    weight: 1,
    arbitrary: fc.record({
      mfa: fc.constantFrom("none", "recommended", "required"),
      ipWhitelist: fc.subarray(NETWORKS, { maxLength: 1 }),
      authentication: fc.constantFrom(undefined, undefined, "mtls" as const),
      limits: fc.constant(Object.create(null)),
    }),
  },
);

const world: fc.Arbitrary<World> = fc.integer({ min: 1, max: ROLES_MAX }).chain((count) => {
  const names = Array.from({ length: count }, (_, i) => `r${i}`);
  const role = (name: string, i: number): fc.Arbitrary<RoleRecord> =>
    fc.record({
      name: fc.constant(name),
      description: fc.constant(""),
      // Few are everybody's: what everybody has hides how else it would be reached.
      assignment: fc.constantFrom("manual", "manual", "manual", "group", "group", "default"),
      permissions: fc.subarray(PATTERNS, { maxLength: 2 }),
      inheritsFrom: fc.subarray(names.slice(i + 1)),
      restrictions,
    });
  return fc.record({
    roles: fc.tuple(...names.map(role)),
    given: fc.uniqueArray(
      fc.record({
        role: fc.constantFrom(...names),
        project: fc.constantFrom(undefined, ...PROJECTS),
      }),
      { maxLength: 4, selector: ({ role, project }) => `${role} ${project}` },
    ),
    direct: fc.subarray(PATTERNS, { maxLength: 2 }),
    groups: fc.subarray(GROUPS),
    mappings: fc.uniqueArray(
      fc.record({
        group: fc.constantFrom(...GROUPS),
        roles: fc.subarray(names),
        permissions: fc.subarray(PATTERNS, { maxLength: 1 }),
      }),
      { maxLength: 2, selector: ({ group }) => group },
    ),
  });
});

const situation: fc.Arbitrary<Situation> = fc.record({
  isMfaFresh: fc.boolean(),
  isMtls: fc.boolean(),
  project: fc.constantFrom(...PROJECTS),
  networks: fc.subarray(NETWORKS),
});

/** `role:<name>` of each active role, and each active pattern, sorted. */
function reference(world: World, request: Situation): readonly string[] {
  const byName = new Map(world.roles.map((role) => [role.name, role]));
  const active = new Set<string>();
  const follow = (name: string): void => {
    const role = byName.get(name);
    if (role === undefined || !admits(role.restrictions, request)) return;
    active.add(`role:${name}`);
    for (const pattern of role.permissions) active.add(pattern);
    for (const parent of role.inheritsFrom) follow(parent);
  };
  for (const { role, project } of world.given) {
    if (project === undefined || project === request.project) follow(role);
  }
  for (const pattern of world.direct) active.add(pattern);
  for (const { group, roles, permissions } of world.mappings) {
    if (!world.groups.includes(group)) continue;
    for (const role of roles) follow(role);
    for (const pattern of permissions) active.add(pattern);
  }
  for (const role of world.roles) if (role.assignment === "default") follow(role.name);
  return [...active].sort();
}

function admits({ mfa, ipWhitelist, authentication }: Restrictions, request: Situation): boolean {
  return (
    (mfa !== "required" || request.isMfaFresh) &&
    (authentication === undefined || request.isMtls) &&
    (ipWhitelist.length === 0 || ipWhitelist.some((net) => request.networks.includes(net)))
  );
}

function active(classes: readonly ConditionClass[], request: Situation): readonly string[] {
  const found = new Set<string>();
  for (const { conditions, grants } of classes) {
    if (!holds(conditions, request)) continue;
    for (const { role, patterns } of grants) {
      if (role !== undefined) found.add(`role:${role}`);
      for (const pattern of patterns) found.add(pattern);
    }
  }
  return [...found].sort();
}

function holds(conditions: Conditions, request: Situation): boolean {
  const { scope, ipWhitelists, authentication, mfa } = conditions;
  return (
    (scope === undefined || scope["project"]!.includes(request.project)) &&
    (mfa !== "required" || request.isMfaFresh) &&
    (authentication === undefined || request.isMtls) &&
    ipWhitelists.every((list) => list.some((net) => request.networks.includes(net)))
  );
}

describe("expandGrants()", () => {
  it("comes to what following every path comes to", () => {
    fc.assert(
      fc.property(world, fc.array(situation, { minLength: 1, maxLength: 5 }), (some, requests) => {
        const origin = { isSystem: false, isCustomised: false };
        const model: ApplicationModel = {
          roles: new Map(some.roles.map((record, id) => [record.name, { id, record, ...origin }])),
          mappings: new Map(
            some.mappings.map((record, id) => [record.group, { id, record, ...origin }]),
          ),
        };
        const terms = { source: "manual", expiresAtMs: undefined } as const;
        const grants = [
          ...some.given.map(({ role, project }) => ({
            ...terms,
            given: { kind: "role", role } as const,
            scope: project === undefined ? undefined : { project: [project] },
          })),
          ...some.direct.map((pattern) => ({
            ...terms,
            given: { kind: "pattern", pattern } as const,
            scope: undefined,
          })),
        ];
        const facts = { groups: some.groups, grants, hasDefaultRoles: true };
        const classes = expandGrants(facts, model, 10_000);
        for (const request of requests) {
          expect(active(classes, request)).toEqual(reference(some, request));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe.each(["SQLite", "PostgreSQL"])("resolve() on %s", (database) => {
  let server: PostgresServer | undefined;
  let test: TestDirectory;
  beforeAll(async () => {
    if (database === "PostgreSQL") server = await startPostgres(["fsync=off"]);
    const url = await server?.createDatabase();
    test = await openTestDirectory(url === undefined ? {} : { database: url });
  });
  afterAll(async () => {
    await test.dispose();
    await server?.dispose();
  });

  it("comes to the same from a file through the database", async () => {
    await fc.assert(
      fc
        .asyncProperty(world, situation, async (some, request) => {
          await test.apply(fileOf(some));
          const { classes } = await test.directory.resolve("platform", "s", noDeadline);
          // The catalogue's own default role comes on top.
          const shipped = ["role:user", "agent:read", "tracer:read", "workflow:read"];
          const expected = new Set([...reference(some, request), ...shipped]);
          expect(active(classes, request)).toEqual([...expected].sort());
        })
        .afterEach(async () => {
          await test.apply(removalOfEverything());
        }),
      { numRuns: 30 },
    );
  });
});

function fileOf({ roles, given, direct, groups, mappings }: World): string {
  const assignments = given.map(({ role, project }) => ({
    subject: "s",
    roles: [role],
    ...(project === undefined ? {} : { scope: { project: [project] } }),
  }));
  const permissions = direct.length === 0 ? [] : [{ subject: "s", permissions: direct }];
  return JSON.stringify({
    subjects: [{ id: "s", groups }],
    applications: {
      platform: {
        roles: roles.map(({ restrictions: { mfa, ipWhitelist, authentication }, ...role }) => ({
          ...role,
          restrictions: {
            mfa: mfa === "none" ? "optional" : mfa,
            ...(ipWhitelist.length === 0 ? {} : { ipWhitelist }),
            ...(authentication === undefined ? {} : { authentication }),
          },
        })),
        groupMappings: mappings,
        assignments: [...assignments, ...permissions],
      },
    },
  });
}

function removalOfEverything(): string {
  return JSON.stringify({
    subjects: [{ id: "s", remove: true }],
    applications: {
      platform: {
        roles: Array.from({ length: ROLES_MAX }, (_, i) => ({ name: `r${i}`, remove: true })),
        groupMappings: GROUPS.map((group) => ({ group, remove: true })),
      },
    },
  });
}
