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
  /** Expired ones too. */
  readonly grants: readonly SubjectGrant[];
}

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
      grants: [
        ...roles.map((grant) => grantOf(grant, { kind: "role", role: grant.name })),
        ...patterns.map((grant) => grantOf(grant, { kind: "pattern", pattern: grant.pattern })),
      ],
    };
  };
}

function grantOf(
  row: {
    readonly source: SubjectGrant["source"];
    readonly scope: string;
    readonly expires_at_ms: number | null;
  },
  given: SubjectGrant["given"],
): SubjectGrant {
  return {
    source: row.source,
    given,
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
    roleRows: prepareQuery(["application", "id"], (transaction, { application, id }) =>
      transaction
        .selectFrom("role_assignments as a")
        .innerJoin("roles as r", "r.id", "a.role_id")
        .select(["a.source", "a.scope", "a.expires_at_ms", "r.name"])
        .where("a.subject_id", "=", id)
        .where("r.application", "=", application)
        .orderBy("r.name"),
    ),
    patternRows: prepareQuery(["application", "id"], (transaction, { application, id }) =>
      transaction
        .selectFrom("permission_assignments as a")
        .select(["a.source", "a.scope", "a.expires_at_ms", "a.pattern"])
        .where("a.subject_id", "=", id)
        .where("a.application", "=", application)
        .orderBy("a.pattern"),
    ),
  };
}
