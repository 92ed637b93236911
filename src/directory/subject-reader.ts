import type { PermissionSet } from "../decision/permission-set.ts";
import type { SubjectType } from "../decision/request.ts";
import type { SubjectGrant } from "./expand-grants.ts";
import { prepareQuery } from "./prepared-query.ts";
import { scopeOf } from "./read-assignments.ts";
import { parseJson } from "./records.ts";
import type { TableTransaction } from "./store.ts";

/** What the tables say of one subject in one application. */
export interface SubjectState {
  readonly subject: {
    readonly status: PermissionSet["status"];
    /** `user` of a subject that is not known. */
    readonly type: SubjectType;
    readonly attributes: PermissionSet["attributes"];
    readonly generation: number;
    /** At which the application's roles and mappings changed last. */
    readonly modelGeneration: number;
  };
  readonly groups: readonly string[];
  /** Roles of every application, by id. Expired ones too. */
  readonly roles: readonly GrantedRole[];
  /** Patterns of the application. Expired ones too. */
  readonly patterns: readonly SubjectGrant[];
}

/** A role's assignment; which role it is, the application's model knows. */
export type GrantedRole = Omit<SubjectGrant, "given"> & { readonly roleId: number };

/** Reads a subject as of the transaction's snapshot. */
export type SubjectReader = (
  transaction: TableTransaction,
  key: { readonly application: string; readonly id: string },
) => Promise<SubjectState>;

/** Makes a reader for one kind of database. */
export function createSubjectReader(): SubjectReader {
  const { subjectRow, groupRows, roleRows, patternRows } = prepareQueries();
  return async (transaction, key) => {
    // Sent together: they travel to the database's thread as one burst.
    const [[row], groups, roles, patterns] = await Promise.all([
      subjectRow(transaction, key),
      groupRows(transaction, key),
      roleRows(transaction, key),
      patternRows(transaction, key),
    ]);
    if (row === undefined) throw new TypeError("the directory has lost its state");
    return {
      subject: {
        status: row.disabled === null ? "unknown" : row.disabled === 0 ? "active" : "disabled",
        type: row.type ?? "user",
        attributes: parseJson(row.attributes ?? "{}") as PermissionSet["attributes"],
        generation: row.generation,
        modelGeneration: row.model_generation ?? 0,
      },
      groups: groups.map(({ group_name }) => group_name),
      roles: roles.map((row) => ({ ...termsOf(row), roleId: row.role_id })),
      patterns: patterns.map((row) => ({
        ...termsOf(row),
        given: { kind: "pattern", pattern: row.pattern },
      })),
    };
  };
}

function termsOf(row: {
  readonly source: SubjectGrant["source"];
  readonly scope: string;
  readonly expires_at_ms: number | null;
}): Omit<SubjectGrant, "given"> {
  return {
    source: row.source,
    scope: scopeOf(row.scope),
    expiresAtMs: row.expires_at_ms ?? undefined,
  };
}

function prepareQueries() {
  return {
    subjectRow: prepareQuery(["application", "id"], (transaction, { application, id }) =>
      transaction
        .selectFrom("state")
        .leftJoin("applications as a", (join) => join.on("a.name", "=", application))
        .leftJoin("subjects as s", (join) => join.on("s.id", "=", id))
        .select(["state.generation", "a.model_generation", "s.type", "s.disabled", "s.attributes"]),
    ),
    groupRows: prepareQuery(["id"], (transaction, { id }) =>
      transaction
        .selectFrom("group_members")
        .select("group_name")
        .where("subject_id", "=", id)
        .orderBy("group_name"),
    ),
    // Without a join to the roles: PostgreSQL plans it backwards while it has no statistics, which
    // makes a resolve four times as slow (measured).
    roleRows: prepareQuery(["id"], (transaction, { id }) =>
      transaction
        .selectFrom("role_assignments as a")
        .select(["a.source", "a.scope", "a.expires_at_ms", "a.role_id"])
        .where("a.subject_id", "=", id)
        .orderBy("a.scope"),
    ),
    patternRows: prepareQuery(["application", "id"], (transaction, { application, id }) =>
      transaction
        .selectFrom("permission_assignments as a")
        .select(["a.source", "a.scope", "a.expires_at_ms", "a.pattern"])
        .where("a.subject_id", "=", id)
        .where("a.application", "=", application)
        .orderBy("a.pattern")
        .orderBy("a.scope"),
    ),
  };
}
