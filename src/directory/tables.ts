import type { ColumnType, Generated } from "kysely";

/** The one row of what is true of the whole database. */
interface StateTable {
  id: number;
  /** Number of the last migration. */
  schema_version: number;
  /** Commit sequence of the directory. */
  generation: number;
  /** Random, and never changed. */
  directory_id: Generated<string>;
}

interface ApplicationsTable {
  name: string;
  /** Of the catalogue file that was taken over last. */
  catalogue_digest: string;
  /** Generation at which a role, a mapping or the catalogue changed last. */
  model_generation: number;
}

interface SubjectsTable {
  id: string;
  type: "user" | "service";
  disabled: number;
  /** Canonical JSON object. */
  attributes: string;
}

interface GroupMembersTable {
  subject_id: string;
  group_name: string;
}

interface RolesTable {
  id: Generated<number>;
  application: string;
  name: string;
  description: string;
  assignment: "manual" | "group" | "default";
  /** Canonical JSON of `Restrictions`. */
  restrictions: string;
  /** The catalogue defines it. */
  is_system: number;
  /** …and the operator defines it otherwise. */
  is_customised: number;
}

interface RolePermissionsTable {
  role_id: number;
  pattern: string;
}

interface RoleInheritanceTable {
  role_id: number;
  parent_id: number;
}

interface GroupMappingsTable {
  id: Generated<number>;
  application: string;
  group_name: string;
  is_system: number;
  is_customised: number;
}

interface GroupMappingRolesTable {
  mapping_id: number;
  /** By name: a mapping may come before its role. */
  role_name: string;
}

interface GroupMappingPermissionsTable {
  mapping_id: number;
  pattern: string;
}

/** What every kind of assignment has. */
interface AssignmentColumns {
  subject_id: string;
  source: "manual" | "group" | "claim" | "scim" | "default";
  /** Canonical JSON of `Scope`; empty = everywhere. Part of the identity, hence never null. */
  scope: string;
  expires_at_ms: number | null;
  granted_by: string | null;
  reason: string | null;
}

interface RoleAssignmentsTable extends AssignmentColumns {
  role_id: number;
}

interface PermissionAssignmentsTable extends AssignmentColumns {
  application: string;
  pattern: string;
}

interface ChangesTable {
  generation: number;
  /** Random; empty if it was written by a program that gave none. */
  id: Generated<string>;
  /** JSON array of subject ids; null = all. */
  subjects: ColumnType<string | null, string | null, never>;
}

/** The directory's tables, as Kysely knows them. */
export interface Tables {
  state: StateTable;
  applications: ApplicationsTable;
  subjects: SubjectsTable;
  group_members: GroupMembersTable;
  roles: RolesTable;
  role_permissions: RolePermissionsTable;
  role_inheritance: RoleInheritanceTable;
  group_mappings: GroupMappingsTable;
  group_mapping_roles: GroupMappingRolesTable;
  group_mapping_permissions: GroupMappingPermissionsTable;
  role_assignments: RoleAssignmentsTable;
  permission_assignments: PermissionAssignmentsTable;
  changes: ChangesTable;
}
