import { type SchemaModule, sql, type Transaction } from "kysely";
import type { SchemaDialect } from "./schema-dialect.ts";
import type { Tables } from "./tables.ts";

/** The first schema. Flags are integers and JSON is text, so that every database stores the same. */
export async function createTables(
  transaction: Transaction<Tables>,
  dialect: SchemaDialect,
): Promise<void> {
  const { schema } = transaction;
  await createState(schema, dialect);
  await transaction
    .insertInto("state")
    .values({ id: 1, schema_version: 0, generation: 0 })
    .execute();
  await createSubjects(schema, dialect);
  await createRoles(schema, dialect);
  await createMappings(schema, dialect);
  await createAssignments(schema, dialect);
}

async function createState(schema: SchemaModule, { text }: SchemaDialect): Promise<void> {
  await schema
    .createTable("state")
    .addColumn("id", "integer", (column) => column.primaryKey().check(sql`id = 1`))
    .addColumn("schema_version", "integer", (column) => column.notNull())
    .addColumn("generation", "bigint", (column) => column.notNull())
    .execute();
  await schema
    .createTable("applications")
    .addColumn("name", text, (column) => column.primaryKey())
    .addColumn("catalogue_digest", text, (column) => column.notNull())
    .addColumn("model_generation", "bigint", (column) => column.notNull())
    .execute();
  await schema
    .createTable("changes")
    .addColumn("generation", "bigint", (column) => column.primaryKey())
    .addColumn("subjects", text)
    .execute();
}

async function createSubjects(schema: SchemaModule, { text }: SchemaDialect): Promise<void> {
  await schema
    .createTable("subjects")
    .addColumn("id", text, (column) => column.primaryKey())
    .addColumn("type", text, (column) => column.notNull().check(sql`type in ('user', 'service')`))
    .addColumn("disabled", "integer", (column) => column.notNull())
    .addColumn("attributes", text, (column) => column.notNull())
    .execute();
  await schema
    .createTable("group_members")
    .addColumn("subject_id", text, (column) =>
      column.notNull().references("subjects.id").onDelete("cascade"),
    )
    .addColumn("group_name", text, (column) => column.notNull())
    .addPrimaryKeyConstraint("group_members_key", ["subject_id", "group_name"])
    .execute();
  await schema
    .createIndex("group_members_by_group")
    .on("group_members")
    .columns(["group_name"])
    .execute();
}

async function createRoles(schema: SchemaModule, { text, id }: SchemaDialect): Promise<void> {
  await schema
    .createTable("roles")
    .addColumn("id", "integer", id)
    .addColumn("application", text, (column) => column.notNull())
    .addColumn("name", text, (column) => column.notNull())
    .addColumn("description", text, (column) => column.notNull())
    .addColumn("assignment", text, (column) =>
      column.notNull().check(sql`assignment in ('manual', 'group', 'default')`),
    )
    .addColumn("restrictions", text, (column) => column.notNull())
    .addColumn("is_system", "integer", (column) => column.notNull())
    .addColumn("is_customised", "integer", (column) => column.notNull())
    .addUniqueConstraint("roles_by_name", ["application", "name"])
    .execute();
  await schema
    .createTable("role_permissions")
    .addColumn("role_id", "integer", (column) =>
      column.notNull().references("roles.id").onDelete("cascade"),
    )
    .addColumn("pattern", text, (column) => column.notNull())
    .addPrimaryKeyConstraint("role_permissions_key", ["role_id", "pattern"])
    .execute();
  // A parent is never deleted from under its heirs: no cascade on that side.
  await schema
    .createTable("role_inheritance")
    .addColumn("role_id", "integer", (column) =>
      column.notNull().references("roles.id").onDelete("cascade"),
    )
    .addColumn("parent_id", "integer", (column) => column.notNull().references("roles.id"))
    .addPrimaryKeyConstraint("role_inheritance_key", ["role_id", "parent_id"])
    .execute();
  await schema
    .createIndex("role_inheritance_by_parent")
    .on("role_inheritance")
    .columns(["parent_id"])
    .execute();
}

async function createMappings(schema: SchemaModule, { text, id }: SchemaDialect): Promise<void> {
  await schema
    .createTable("group_mappings")
    .addColumn("id", "integer", id)
    .addColumn("application", text, (column) => column.notNull())
    .addColumn("group_name", text, (column) => column.notNull())
    .addColumn("is_system", "integer", (column) => column.notNull())
    .addColumn("is_customised", "integer", (column) => column.notNull())
    .addUniqueConstraint("group_mappings_by_group", ["application", "group_name"])
    .execute();
  for (const [table, value] of [
    ["group_mapping_roles", "role_name"],
    ["group_mapping_permissions", "pattern"],
  ] as const) {
    await schema
      .createTable(table)
      .addColumn("mapping_id", "integer", (column) =>
        column.notNull().references("group_mappings.id").onDelete("cascade"),
      )
      .addColumn(value, text, (column) => column.notNull())
      .addPrimaryKeyConstraint(`${table}_key`, ["mapping_id", value])
      .execute();
  }
}

async function createAssignments(schema: SchemaModule, { text }: SchemaDialect): Promise<void> {
  const assignmentTable = (table: "role_assignments" | "permission_assignments") =>
    schema
      .createTable(table)
      .addColumn("subject_id", text, (column) =>
        column.notNull().references("subjects.id").onDelete("cascade"),
      )
      .addColumn("source", text, (column) => column.notNull())
      .addColumn("scope", text, (column) => column.notNull())
      .addColumn("expires_at_ms", "bigint")
      .addColumn("granted_by", text)
      .addColumn("reason", text);
  // A role that somebody has is never deleted: no cascade.
  await assignmentTable("role_assignments")
    .addColumn("role_id", "integer", (column) => column.notNull().references("roles.id"))
    .addPrimaryKeyConstraint("role_assignments_key", ["subject_id", "role_id", "source", "scope"])
    .execute();
  await schema
    .createIndex("role_assignments_by_role")
    .on("role_assignments")
    .columns(["role_id"])
    .execute();
  await assignmentTable("permission_assignments")
    .addColumn("application", text, (column) => column.notNull())
    .addColumn("pattern", text, (column) => column.notNull())
    .addPrimaryKeyConstraint("permission_assignments_key", [
      "subject_id",
      "application",
      "pattern",
      "source",
      "scope",
    ])
    .execute();
}
