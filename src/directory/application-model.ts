import { type MappingRecord, parseJson, type Restrictions, type RoleRecord } from "./records.ts";
import type { TableTransaction } from "./store.ts";

/** Where a role or mapping comes from. */
export interface Origin {
  /** The catalogue defines it. */
  readonly isSystem: boolean;
  /** …and the operator defines it otherwise. */
  readonly isCustomised: boolean;
}

/** A role as the directory has it. */
export interface ModelRole extends Origin {
  readonly id: number;
  readonly record: RoleRecord;
}

/** A group mapping as the directory has it. */
export interface ModelMapping extends Origin {
  readonly id: number;
  readonly record: MappingRecord;
}

/** Everything about an application but its subjects; small enough to be kept in memory. */
export interface ApplicationModel {
  /** By name. */
  readonly roles: ReadonlyMap<string, ModelRole>;
  /** By group. */
  readonly mappings: ReadonlyMap<string, ModelMapping>;
}

/** Reads the model as of the transaction's snapshot. */
export async function loadModel(
  transaction: TableTransaction,
  application: string,
): Promise<ApplicationModel> {
  const [roles, mappings] = await Promise.all([
    loadRoles(transaction, application),
    loadMappings(transaction, application),
  ]);
  return { roles, mappings };
}

async function loadRoles(
  transaction: TableTransaction,
  application: string,
): Promise<ReadonlyMap<string, ModelRole>> {
  const [rows, permissions, parents] = await Promise.all([
    transaction
      .selectFrom("roles")
      .selectAll()
      .where("application", "=", application)
      .orderBy("name")
      .execute(),
    transaction
      .selectFrom("role_permissions as p")
      .innerJoin("roles as r", "r.id", "p.role_id")
      .select(["p.role_id as owner", "p.pattern as value"])
      .where("r.application", "=", application)
      .orderBy("p.pattern")
      .execute(),
    transaction
      .selectFrom("role_inheritance as i")
      .innerJoin("roles as r", "r.id", "i.role_id")
      .innerJoin("roles as parent", "parent.id", "i.parent_id")
      .select(["i.role_id as owner", "parent.name as value"])
      .where("r.application", "=", application)
      .orderBy("parent.name")
      .execute(),
  ]);
  const patternsOf = listsByOwner(permissions);
  const parentsOf = listsByOwner(parents);
  return new Map(
    rows.map((row) => [
      row.name,
      {
        id: row.id,
        isSystem: row.is_system === 1,
        isCustomised: row.is_customised === 1,
        record: {
          name: row.name,
          description: row.description,
          assignment: row.assignment,
          permissions: patternsOf.get(row.id) ?? [],
          inheritsFrom: parentsOf.get(row.id) ?? [],
          restrictions: restrictionsOf(row.restrictions),
        },
      },
    ]),
  );
}

async function loadMappings(
  transaction: TableTransaction,
  application: string,
): Promise<ReadonlyMap<string, ModelMapping>> {
  const [rows, roles, permissions] = await Promise.all([
    transaction
      .selectFrom("group_mappings")
      .selectAll()
      .where("application", "=", application)
      .orderBy("group_name")
      .execute(),
    transaction
      .selectFrom("group_mapping_roles as v")
      .innerJoin("group_mappings as m", "m.id", "v.mapping_id")
      .select(["v.mapping_id as owner", "v.role_name as value"])
      .where("m.application", "=", application)
      .orderBy("v.role_name")
      .execute(),
    transaction
      .selectFrom("group_mapping_permissions as v")
      .innerJoin("group_mappings as m", "m.id", "v.mapping_id")
      .select(["v.mapping_id as owner", "v.pattern as value"])
      .where("m.application", "=", application)
      .orderBy("v.pattern")
      .execute(),
  ]);
  const rolesOf = listsByOwner(roles);
  const patternsOf = listsByOwner(permissions);
  return new Map(
    rows.map((row) => [
      row.group_name,
      {
        id: row.id,
        isSystem: row.is_system === 1,
        isCustomised: row.is_customised === 1,
        record: {
          group: row.group_name,
          roles: rolesOf.get(row.id) ?? [],
          permissions: patternsOf.get(row.id) ?? [],
        },
      },
    ]),
  );
}

function listsByOwner(
  rows: readonly { readonly owner: number; readonly value: string }[],
): ReadonlyMap<number, string[]> {
  const lists = new Map<number, string[]>();
  for (const { owner, value } of rows) {
    const list = lists.get(owner);
    if (list === undefined) lists.set(owner, [value]);
    else list.push(value);
  }
  return lists;
}

function restrictionsOf(text: string): Restrictions {
  const stored = parseJson(text) as unknown as Restrictions;
  return { ...stored, authentication: stored.authentication ?? undefined };
}
