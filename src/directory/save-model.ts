import type { ApplicationModel, ModelMapping, ModelRole, Origin } from "./application-model.ts";
import { insertAll } from "./chunks.ts";
import { describeMapping, describeRemoval, describeRole } from "./describe.ts";
import type { PlanItem } from "./plan.ts";
import {
  canonicalJson,
  type MappingRecord,
  type Restrictions,
  type RoleRecord,
} from "./records.ts";
import type { TableTransaction } from "./store.ts";

/** A role as it shall be. */
export interface DesiredRole extends Origin {
  readonly record: RoleRecord;
}

/** A mapping as it shall be. */
export interface DesiredMapping extends Origin {
  readonly record: MappingRecord;
}

/** A model as it shall be: what is not in it shall not be there. */
export interface DesiredModel {
  readonly roles: ReadonlyMap<string, DesiredRole>;
  readonly mappings: ReadonlyMap<string, DesiredMapping>;
}

/** What saving a model changed. */
export interface SavedModel {
  readonly items: readonly PlanItem[];
  /** To be deleted with `deleteRoles` once nobody has them. */
  readonly rolesToDelete: readonly ModelRole[];
  /** Of every role that stays. */
  readonly roleIds: ReadonlyMap<string, number>;
}

/** Makes the tables agree with `desired`, but for the deletion of roles. */
export async function saveModel(
  transaction: TableTransaction,
  application: string,
  models: { readonly current: ApplicationModel; readonly desired: DesiredModel },
): Promise<SavedModel> {
  const roles = await saveRoles(transaction, application, models);
  const mappingItems = await saveMappings(transaction, application, models);
  return { ...roles, items: [...roles.items, ...mappingItems] };
}

/** Deletes roles that nobody has and nothing inherits from. */
export async function deleteRoles(
  transaction: TableTransaction,
  roles: readonly ModelRole[],
): Promise<void> {
  for (const { id } of roles) await transaction.deleteFrom("roles").where("id", "=", id).execute();
}

async function saveRoles(
  transaction: TableTransaction,
  application: string,
  { current, desired }: { readonly current: ApplicationModel; readonly desired: DesiredModel },
): Promise<SavedModel> {
  const items: PlanItem[] = [];
  const roleIds = new Map<string, number>();
  const changed: DesiredRole[] = [];
  for (const [name, role] of desired.roles) {
    const known = current.roles.get(name);
    if (known !== undefined) roleIds.set(name, known.id);
    if (known !== undefined && isSame(known, role)) continue;
    items.push(describeRole(application, known, role));
    roleIds.set(name, await writeRole(transaction, application, { known, role }));
    changed.push(role);
  }
  // A new role may inherit from another new one: first the roles, then what leads between them.
  const parents = changed.flatMap(({ record }) =>
    record.inheritsFrom.map((parent) => ({
      role_id: roleIds.get(record.name)!,
      parent_id: roleIds.get(parent)!,
    })),
  );
  await insertAll(transaction, "role_inheritance", parents);
  const rolesToDelete = [...current.roles.values()].filter(
    ({ record }) => !desired.roles.has(record.name),
  );
  for (const role of rolesToDelete) {
    await deleteParts(transaction, role.id);
    items.push(removal(application, "role", role.record.name));
  }
  return { items, rolesToDelete, roleIds };
}

async function writeRole(
  transaction: TableTransaction,
  application: string,
  { known, role }: { readonly known: ModelRole | undefined; readonly role: DesiredRole },
): Promise<number> {
  const { record } = role;
  const row = {
    description: record.description,
    assignment: record.assignment,
    restrictions: restrictionsText(record.restrictions),
    is_system: Number(role.isSystem),
    is_customised: Number(role.isCustomised),
  };
  let id = known?.id;
  if (id === undefined) {
    const inserted = await transaction
      .insertInto("roles")
      .values({ application, name: record.name, ...row })
      .returning("id")
      .executeTakeFirstOrThrow();
    id = inserted.id;
  } else {
    await transaction.updateTable("roles").set(row).where("id", "=", id).execute();
    await deleteParts(transaction, id);
  }
  const patterns = record.permissions.map((pattern) => ({ role_id: id, pattern }));
  await insertAll(transaction, "role_permissions", patterns);
  return id;
}

async function deleteParts(transaction: TableTransaction, roleId: number): Promise<void> {
  await transaction.deleteFrom("role_permissions").where("role_id", "=", roleId).execute();
  await transaction.deleteFrom("role_inheritance").where("role_id", "=", roleId).execute();
}

async function saveMappings(
  transaction: TableTransaction,
  application: string,
  { current, desired }: { readonly current: ApplicationModel; readonly desired: DesiredModel },
): Promise<readonly PlanItem[]> {
  const items: PlanItem[] = [];
  for (const [group, mapping] of desired.mappings) {
    const known = current.mappings.get(group);
    if (known !== undefined && isSame(known, mapping)) continue;
    items.push(describeMapping(application, known, mapping));
    await writeMapping(transaction, application, { known, mapping });
  }
  for (const [group, { id }] of current.mappings) {
    if (desired.mappings.has(group)) continue;
    await transaction.deleteFrom("group_mappings").where("id", "=", id).execute();
    items.push(removal(application, "mapping", group));
  }
  return items;
}

async function writeMapping(
  transaction: TableTransaction,
  application: string,
  change: { readonly known: ModelMapping | undefined; readonly mapping: DesiredMapping },
): Promise<void> {
  const { known, mapping } = change;
  // Its parts go with it.
  if (known !== undefined) {
    await transaction.deleteFrom("group_mappings").where("id", "=", known.id).execute();
  }
  const { id } = await transaction
    .insertInto("group_mappings")
    .values({
      application,
      group_name: mapping.record.group,
      is_system: Number(mapping.isSystem),
      is_customised: Number(mapping.isCustomised),
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  const roles = mapping.record.roles.map((role_name) => ({ mapping_id: id, role_name }));
  const patterns = mapping.record.permissions.map((pattern) => ({ mapping_id: id, pattern }));
  await insertAll(transaction, "group_mapping_roles", roles);
  await insertAll(transaction, "group_mapping_permissions", patterns);
}

function removal(application: string, kind: "role" | "mapping", name: string): PlanItem {
  return describeRemoval({ application, kind, name, subject: undefined });
}

function isSame(
  a: DesiredRole | DesiredMapping | ModelRole,
  b: DesiredRole | DesiredMapping,
): boolean {
  return (
    a.isSystem === b.isSystem &&
    a.isCustomised === b.isCustomised &&
    isSameRecord(a.record, b.record)
  );
}

/** Whether two roles, or two mappings, say the same. */
export function isSameRecord(
  a: RoleRecord | MappingRecord,
  b: RoleRecord | MappingRecord,
): boolean {
  return recordText(a) === recordText(b);
}

function recordText(record: RoleRecord | MappingRecord): string {
  if (!("restrictions" in record)) return canonicalJson({ ...record });
  return canonicalJson({ ...record, restrictions: restrictionsText(record.restrictions) });
}

function restrictionsText(restrictions: Restrictions): string {
  return canonicalJson({
    ...restrictions,
    authentication: restrictions.authentication ?? null,
  });
}
