import { emptyObject, type JsonObject, type JsonValue } from "../decision/json.ts";
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

/** Ways from one role, whoever has it: finding more takes quadratic time. Real roles have tens. */
const PATHS_MAX = 2_000;

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
  const ways = waysOf(model);
  for (const grant of facts.grants) {
    if (grant.given.kind === "role") addRole(grant.given.role, { ...grant, path: [] });
  }
  for (const [start, patterns] of directGrants(facts.grants)) addPatterns(start, patterns);
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
    addPatterns(start, mapping.record.permissions);
  }

  function addPatterns(start: Start, patterns: readonly string[]): void {
    if (patterns.length === 0) return;
    const { source, path } = start;
    classes.add(start, nothing, { source, path, role: undefined, patterns, limits: emptyObject });
  }

  function addRole(name: string, start: Start): void {
    const role = model.roles.get(name);
    if (role === undefined) return;
    for (const { role: reached, path, passed } of ways(role)) {
      classes.add(start, passed, {
        source: start.source,
        path: start.path.length === 0 ? path : [...start.path, ...path],
        role: reached.record.name,
        patterns: reached.record.permissions,
        limits: passed.limits,
      });
    }
  }
}

/** The restrictions that a way passes. */
interface Passed {
  /** The roles that restrict or limit something, nearest to the subject first. */
  readonly roles: readonly RoleRecord[];
  readonly limits: JsonObject;
}

const nothing: Passed = { roles: [], limits: emptyObject };

/** One way to a role. */
interface RolePath {
  readonly role: ModelRole;
  /** `role:<name>` of each role on it. */
  readonly path: readonly string[];
  /** The same object for ways that pass the same restrictions one after the other. */
  readonly passed: Passed;
}

const waysOfModels = new WeakMap<ApplicationModel, (start: ModelRole) => readonly RolePath[]>();

/** `pathsFrom` of a model, remembered as long as the model: they are the same for every subject. */
function waysOf(model: ApplicationModel): (start: ModelRole) => readonly RolePath[] {
  let ways = waysOfModels.get(model);
  if (ways === undefined) {
    const known = new Map<ModelRole, readonly RolePath[]>();
    ways = (start) => {
      const paths = known.get(start) ?? pathsFrom(start, model);
      known.set(start, paths);
      return paths;
    };
    waysOfModels.set(model, ways);
  }
  return ways;
}

/**
 * The ways from a role to itself and all it inherits from, shortest first. A way that passes
 * all the restrictions of an earlier one to the same role gives nothing more, and is left out: a
 * diamond-shaped graph has more ways than anybody could count.
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
      if (earlier.some(({ passed }) => isSubset(passed.roles, next.passed.roles))) continue;
      if (found.length >= PATHS_MAX) throw new TooManyGrants();
      known.set(parentName, [...earlier, next]);
      found.push(next);
    }
  }
  return found;
}

function extend(way: RolePath | undefined, role: ModelRole): RolePath {
  const passed = way?.passed ?? nothing;
  const { record } = role;
  const roles = [...passed.roles, record];
  return {
    role,
    path: [...(way?.path ?? []), `role:${record.name}`],
    passed: isRestricting(record) ? { roles, limits: mergeLimits(roles) } : passed,
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

interface OpenClass {
  readonly conditions: Conditions;
  readonly grants: GrantPath[];
}

function createClasses(grantsMax: number) {
  const byConditions = new Map<string, OpenClass>();
  let count = 0;
  // Steps of one way come one after the other, mostly under the same conditions.
  let last: { start: Start; passed: Passed; into: OpenClass } | undefined;
  const classOf = (start: Start, passed: Passed): OpenClass => {
    if (last?.start === start && last.passed === passed) return last.into;
    const conditions = conditionsOf(start, passed.roles);
    const text = conditionsText(conditions);
    const into = byConditions.get(text) ?? { conditions, grants: [] };
    byConditions.set(text, into);
    last = { start, passed, into };
    return into;
  };
  return {
    add(start: Start, passed: Passed, grant: GrantPath): void {
      count += 1;
      if (count > grantsMax) throw new TooManyGrants();
      classOf(start, passed).grants.push(grant);
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
