import type { ConditionClass, PermissionSet } from "../decision/permission-set.ts";
import { type ApplicationModel, loadModel } from "./application-model.ts";
import { expandGrants, type SubjectGrant } from "./expand-grants.ts";
import { scopeOf } from "./read-assignments.ts";
import { parseJson } from "./records.ts";
import type { TableTransaction } from "./store.ts";

/** What resolving depends on besides the tables. */
export interface ResolverOptions {
  /** Applications that have a catalogue. */
  readonly hasCatalogue: (application: string) => boolean;
  readonly unknownSubjects: (application: string) => "deny" | "default-roles";
  readonly grantsMax: number;
}

/** Resolves from the snapshot of the transaction, as of the instant `nowMs`. */
export type Resolver = (
  transaction: TableTransaction,
  query: { readonly application: string; readonly subjectId: string; readonly nowMs: number },
) => Promise<PermissionSet>;

/** Makes a resolver. It keeps the roles and mappings of each application, as of one generation. */
export function createResolver(options: ResolverOptions): Resolver {
  const modelOf = createModels();
  return async (transaction, { application, subjectId, nowMs }) => {
    // Sent together: they travel to the database's thread as one burst.
    const [subject, groups, grants] = await Promise.all([
      readSubject(transaction, application, subjectId),
      readGroups(transaction, subjectId),
      readGrants(transaction, application, subjectId),
    ]);
    const { status, type, attributes, generation, modelGeneration } = subject;
    const current = grants.filter(({ expiresAtMs }) => (expiresAtMs ?? Infinity) > nowMs);
    let classes: readonly ConditionClass[] = [];
    if (options.hasCatalogue(application) && status !== "disabled") {
      const model = await modelOf(transaction, application, modelGeneration);
      const hasDefaultRoles =
        status === "unknown"
          ? options.unknownSubjects(application) === "default-roles"
          : type === "user";
      classes = expandGrants(
        { groups, grants: current, hasDefaultRoles },
        model,
        options.grantsMax,
      );
    }
    return {
      application,
      subject: { id: subjectId, type },
      status,
      attributes,
      groups,
      classes,
      generation,
      validUntilMs: earliestExpiry(classes),
    };
  };
}

function earliestExpiry(classes: readonly ConditionClass[]): number | undefined {
  let earliest: number | undefined;
  for (const { conditions } of classes) {
    const { expiresAtMs } = conditions;
    if (expiresAtMs !== undefined && expiresAtMs < (earliest ?? Infinity)) earliest = expiresAtMs;
  }
  return earliest;
}

async function readSubject(transaction: TableTransaction, application: string, id: string) {
  const row = await transaction
    .selectFrom("state")
    .leftJoin("applications as a", (join) => join.on("a.name", "=", application))
    .leftJoin("subjects as s", (join) => join.on("s.id", "=", id))
    .select(["state.generation", "a.model_generation", "s.type", "s.disabled", "s.attributes"])
    .executeTakeFirstOrThrow();
  const isKnown = row.type !== null;
  const status: PermissionSet["status"] = isKnown
    ? row.disabled === 0
      ? "active"
      : "disabled"
    : "unknown";
  return {
    status,
    type: row.type ?? ("user" as const),
    attributes: parseJson(row.attributes ?? "{}") as PermissionSet["attributes"],
    generation: row.generation,
    modelGeneration: row.model_generation ?? 0,
  };
}

async function readGroups(transaction: TableTransaction, id: string): Promise<readonly string[]> {
  const rows = await transaction
    .selectFrom("group_members")
    .select("group_name")
    .where("subject_id", "=", id)
    .orderBy("group_name")
    .execute();
  return rows.map(({ group_name }) => group_name);
}

async function readGrants(
  transaction: TableTransaction,
  application: string,
  id: string,
): Promise<readonly SubjectGrant[]> {
  const [roles, patterns] = await Promise.all([
    transaction
      .selectFrom("role_assignments as a")
      .innerJoin("roles as r", "r.id", "a.role_id")
      .select(["a.source", "a.scope", "a.expires_at_ms", "r.name"])
      .where("a.subject_id", "=", id)
      .where("r.application", "=", application)
      .orderBy("r.name")
      .execute(),
    transaction
      .selectFrom("permission_assignments as a")
      .select(["a.source", "a.scope", "a.expires_at_ms", "a.pattern"])
      .where("a.subject_id", "=", id)
      .where("a.application", "=", application)
      .orderBy("a.pattern")
      .execute(),
  ]);
  const termsOf = (row: (typeof roles)[number] | (typeof patterns)[number]) => ({
    source: row.source,
    scope: scopeOf(row.scope),
    expiresAtMs: row.expires_at_ms ?? undefined,
  });
  return [
    ...roles.map((row) => ({ ...termsOf(row), given: { kind: "role", role: row.name } as const })),
    ...patterns.map((row) => ({
      ...termsOf(row),
      given: { kind: "pattern", pattern: row.pattern } as const,
    })),
  ];
}

/** Models by application, each as of the generation at which it changed last. */
function createModels() {
  const kept = new Map<string, { generation: number; model: ApplicationModel }>();
  return async (
    transaction: TableTransaction,
    application: string,
    generation: number,
  ): Promise<ApplicationModel> => {
    const known = kept.get(application);
    // Two snapshots may be in use at once: whichever comes last is kept, neither is mixed up.
    if (known?.generation === generation) return known.model;
    const model = await loadModel(transaction, application);
    kept.set(application, { generation, model });
    return model;
  };
}
