import type { JsonObject, JsonValue } from "../decision/json.ts";
import type {
  AssignmentSource,
  ConditionClass,
  Conditions,
  GrantPath,
  MfaRule,
} from "../decision/permission-set.ts";
import type { ApplicationModel, ModelRole } from "./application-model.ts";
import { canonicalJson, type Given, type RoleRecord, type Scope } from "./records.ts";

/** One thing a subject has been given, whoever gave it. */
export interface SubjectGrant {
  readonly source: AssignmentSource;
  readonly given: Given;
  readonly scope: Scope | undefined;
  readonly expiresAtMs: number | undefined;
}

/** What expansion starts from. */
export interface SubjectFacts {
  readonly groups: readonly string[];
  /** Assignments that have not expired. */
  readonly grants: readonly SubjectGrant[];
  /** Whether the subject gets the roles that every user has. */
  readonly hasDefaultRoles: boolean;
}

/** Where one path starts: how it is written, and on which terms. */
interface Start {
  readonly source: AssignmentSource;
  readonly path: readonly string[];
  readonly scope: Scope | undefined;
  readonly expiresAtMs: number | undefined;
}

/** Thrown when a set would have more grants than the limit. */
export class TooManyGrants extends Error {}

/**
 * Follows every path from a subject to patterns: assignment or group → role → inherited roles.
 * What a path gives is under all the conditions met on it; grants under equal conditions are put
 * together.
 */
export function expandGrants(
  facts: SubjectFacts,
  model: ApplicationModel,
  grantsMax: number,
): readonly ConditionClass[] {
  const classes = createClasses(grantsMax);
  for (const grant of facts.grants) {
    if (grant.given.kind === "role") addRole(grant.given.role, { ...grant, path: [] });
  }
  for (const [start, patterns] of directGrants(facts.grants)) {
    classes.add(start, [], { path: start.path, role: undefined, patterns });
  }
  for (const group of facts.groups) addGroup(group);
  if (facts.hasDefaultRoles) {
    for (const { record } of model.roles.values()) {
      if (record.assignment === "default") addRole(record.name, unconditional("default", []));
    }
  }
  return classes.all();

  function addGroup(group: string): void {
    const mapping = model.mappings.get(group);
    if (mapping === undefined) return;
    const start = unconditional("group", [`group:${group}`]);
    const isOperators = !mapping.isSystem || mapping.isCustomised;
    for (const name of mapping.record.roles) {
      // Only an operator may give a group what is to be assigned by hand.
      const isManual = model.roles.get(name)?.record.assignment === "manual";
      if (isOperators || !isManual) addRole(name, start);
    }
    const patterns = mapping.record.permissions;
    if (patterns.length > 0)
      classes.add(start, [], { path: start.path, role: undefined, patterns });
  }

  function addRole(name: string, start: Start): void {
    const role = model.roles.get(name);
    if (role === undefined) return;
    for (const { role: reached, path, restricting } of pathsFrom(role, model)) {
      classes.add(start, restricting, {
        path: [...start.path, ...path],
        role: reached.record.name,
        patterns: reached.record.permissions,
      });
    }
  }
}

/** One way to a role. */
interface RolePath {
  readonly role: ModelRole;
  /** `role:<name>` of each role on it. */
  readonly path: readonly string[];
  /** The roles on it that restrict or limit something, nearest to the subject first. */
  readonly restricting: readonly RoleRecord[];
}

/**
 * The ways from a role to itself and all it inherits from, shortest first. A way that passes
 * through all the restrictions of an earlier one to the same role gives nothing more, and is left
 * out: a diamond-shaped graph has more ways than anybody could count.
 */
function pathsFrom(start: ModelRole, model: ApplicationModel): readonly RolePath[] {
  const found: RolePath[] = [extend(undefined, start)];
  const known = new Map<string, RolePath[]>([[start.record.name, [...found]]]);
  for (const way of found) {
    for (const parentName of way.role.record.inheritsFrom) {
      const parent = model.roles.get(parentName);
      if (parent === undefined) continue;
      const next = extend(way, parent);
      const earlier = known.get(parentName) ?? [];
      if (earlier.some(({ restricting }) => isSubset(restricting, next.restricting))) continue;
      known.set(parentName, [...earlier, next]);
      found.push(next);
    }
  }
  return found;
}

function extend(way: RolePath | undefined, role: ModelRole): RolePath {
  const restricting = way?.restricting ?? [];
  return {
    role,
    path: [...(way?.path ?? []), `role:${role.record.name}`],
    restricting: isRestricting(role.record) ? [...restricting, role.record] : restricting,
  };
}

function isRestricting({ restrictions }: RoleRecord): boolean {
  return (
    restrictions.mfa !== "none" ||
    restrictions.ipWhitelist.length > 0 ||
    restrictions.authentication !== undefined ||
    Object.keys(restrictions.limits).length > 0
  );
}

function isSubset(some: readonly RoleRecord[], all: readonly RoleRecord[]): boolean {
  return some.every((role) => all.includes(role));
}

function unconditional(source: AssignmentSource, path: readonly string[]): Start {
  return { source, path, scope: undefined, expiresAtMs: undefined };
}

/** Patterns given directly, those on the same terms together. */
function directGrants(
  grants: readonly SubjectGrant[],
): Iterable<readonly [Start, readonly string[]]> {
  const byTerms = new Map<string, readonly [Start, string[]]>();
  for (const { source, given, scope, expiresAtMs } of grants) {
    if (given.kind !== "pattern") continue;
    const terms = canonicalJson([source, scope ?? null, expiresAtMs ?? null]);
    const entry = byTerms.get(terms);
    if (entry !== undefined) entry[1].push(given.pattern);
    else byTerms.set(terms, [{ source, path: ["direct"], scope, expiresAtMs }, [given.pattern]]);
  }
  return byTerms.values();
}

function createClasses(grantsMax: number) {
  const byConditions = new Map<string, { conditions: Conditions; grants: GrantPath[] }>();
  let count = 0;
  return {
    add(
      start: Start,
      restricting: readonly RoleRecord[],
      step: Pick<GrantPath, "path" | "role" | "patterns">,
    ): void {
      count += 1;
      if (count > grantsMax) throw new TooManyGrants();
      const conditions = conditionsOf(start, restricting);
      const text = conditionsText(conditions);
      const grant = { source: start.source, ...step, limits: mergeLimits(restricting) };
      const group = byConditions.get(text);
      if (group !== undefined) group.grants.push(grant);
      else byConditions.set(text, { conditions, grants: [grant] });
    },
    all: (): readonly ConditionClass[] => [...byConditions.values()],
  };
}

const MFA_STRENGTH = { none: 0, recommended: 1, required: 2 } as const;

function conditionsOf(start: Start, restricting: readonly RoleRecord[]): Conditions {
  let mfa: MfaRule = "none";
  let authentication: "mtls" | undefined;
  const whitelists = new Map<string, readonly string[]>();
  for (const { restrictions } of restricting) {
    if (MFA_STRENGTH[restrictions.mfa] > MFA_STRENGTH[mfa]) mfa = restrictions.mfa;
    authentication ??= restrictions.authentication;
    const { ipWhitelist } = restrictions;
    if (ipWhitelist.length > 0) whitelists.set(ipWhitelist.join(" "), ipWhitelist);
  }
  return {
    expiresAtMs: start.expiresAtMs,
    scope: start.scope,
    // In one order whatever the path, so that equal conditions look equal.
    ipWhitelists: [...whitelists.keys()].sort().map((text) => whitelists.get(text)!),
    authentication,
    mfa,
  };
}

function conditionsText({
  expiresAtMs,
  scope,
  ipWhitelists,
  authentication,
  mfa,
}: Conditions): string {
  return canonicalJson([
    expiresAtMs ?? null,
    scope ?? null,
    ipWhitelists,
    authentication ?? null,
    mfa,
  ]);
}

/** Of a limit met twice, the smaller number holds; of other values, that nearest the subject. */
function mergeLimits(restricting: readonly RoleRecord[]): JsonObject {
  const merged = Object.create(null) as Record<string, JsonValue>;
  for (const { restrictions } of restricting) {
    for (const [name, value] of Object.entries(restrictions.limits)) {
      const known = merged[name];
      if (known === undefined) merged[name] = value;
      else if (typeof known === "number" && typeof value === "number" && value < known) {
        merged[name] = value;
      }
    }
  }
  return merged;
}
