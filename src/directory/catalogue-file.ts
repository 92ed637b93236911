import { createHash } from "node:crypto";
import { type Static, Type } from "typebox";
import { suggestion } from "../base/nearest.ts";
import type { Catalogue, CataloguePermission, ResourceType } from "../decision/catalogue.ts";
import { checkApplicationName } from "../decision/names.ts";
import { checkEntry } from "./check-entry.ts";
import { checkMapping, checkRole, complain } from "./check-role.ts";
import { complainOfTerm } from "./check-values.ts";
import type { DirectoryText } from "./directory.ts";
import { findCycle } from "./inheritance.ts";
import { type Problems, quote } from "./problems.ts";
import type { MappingRecord, RoleRecord } from "./records.ts";
import { readYaml } from "./yaml-text.ts";

const actionSchema = Type.Object(
  {
    id: Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 }),
    name: Type.String(),
    description: Type.String({ minLength: 1, maxLength: 1_000 }),
  },
  { additionalProperties: false },
);

const resourceTypeSchema = Type.Object(
  {
    name: Type.String(),
    description: Type.String({ minLength: 1, maxLength: 1_000 }),
    classified: Type.Optional(Type.Boolean()),
    actions: Type.Array(actionSchema, { minItems: 1, maxItems: 1_000 }),
  },
  { additionalProperties: false },
);

/** The form of a catalogue file; roles and mappings have that of a directory file. */
const catalogueFileSchema = Type.Object(
  {
    application: Type.String(),
    resourceTypes: Type.Array(resourceTypeSchema, { minItems: 1, maxItems: 1_000 }),
    roles: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 1_000 })),
    groupMappings: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 1_000 })),
  },
  { additionalProperties: false },
);

/** Everything that a catalogue file says. */
export interface CatalogueDefinition {
  readonly catalogue: Catalogue;
  /** System roles by name. */
  readonly roles: ReadonlyMap<string, RoleRecord>;
  /** System group mappings by group. */
  readonly mappings: ReadonlyMap<string, MappingRecord>;
  /** SHA-256 of the text, hex: tells whether a directory has taken it over already. */
  readonly digest: string;
}

/**
 * Reads a catalogue file. Throws `PdpError` `invalid-argument` with a line per mistake. A mapping
 * may name a role that does not exist; one to a `manual` role is the operator's to make.
 */
export function parseCatalogue(file: DirectoryText): CatalogueDefinition {
  const { value, problems } = readYaml(file);
  const isOk = checkEntry(catalogueFileSchema, value, { path: [], problems });
  problems.throwIfAny();
  if (!isOk) throw new TypeError("a failed check reports at least one problem");
  const catalogue = buildCatalogue(value, problems);
  const roles = buildRoles(value.roles ?? [], catalogue, problems);
  const mappings = new Map<string, MappingRecord>();
  (value.groupMappings ?? []).forEach((entry, i) => {
    const path = ["groupMappings", i];
    const mapping = checkMapping(entry, { path, catalogue, problems });
    if (mapping === undefined) return;
    if (mappings.has(mapping.group)) problems.add(path, `${quote(mapping.group)} is mapped twice`);
    for (const role of mapping.roles) {
      if (roles.get(role)?.assignment !== "manual") continue;
      problems.add(path, `role ${quote(role)} is assigned by hand only: expected no group for it`);
    }
    mappings.set(mapping.group, mapping);
  });
  problems.throwIfAny();
  const digest = createHash("sha256").update(file.text).digest("hex");
  return { catalogue, roles, mappings, digest };
}

function buildCatalogue(file: Static<typeof catalogueFileSchema>, problems: Problems): Catalogue {
  const resourceTypes = new Map<string, ResourceType>();
  const permissions = new Map<string, CataloguePermission>();
  const ids = new Map<number, string>();
  try {
    checkApplicationName(file.application, "application");
  } catch {
    problems.add(["application"], "expected a-z, 0-9 and -, a letter first, at most 63");
  }
  file.resourceTypes.forEach(({ name: resource, description, classified, actions }, i) => {
    const path = ["resourceTypes", i];
    complain(problems, [...path, "name"], complainOfTerm(resource));
    if (resourceTypes.has(resource)) problems.add(path, `${quote(resource)} is there twice`);
    actions.forEach((action, j) => {
      const actionPath = [...path, "actions", j];
      const permission = `${resource}:${action.name}`;
      complain(problems, [...actionPath, "name"], complainOfTerm(action.name));
      if (permissions.has(permission)) problems.add(actionPath, `${permission} is there twice`);
      const owner = ids.get(action.id);
      if (owner !== undefined) problems.add([...actionPath, "id"], `${action.id} is ${owner}'s`);
      ids.set(action.id, permission);
      permissions.set(
        permission,
        Object.freeze({
          id: action.id,
          resource,
          action: action.name,
          description: action.description,
        }),
      );
    });
    resourceTypes.set(
      resource,
      Object.freeze({
        name: resource,
        description,
        classified: classified ?? false,
        actions: Object.freeze(actions.map(({ name }) => name)),
      }),
    );
  });
  return Object.freeze({ name: file.application, resourceTypes, permissions });
}

function buildRoles(
  entries: readonly unknown[],
  catalogue: Catalogue,
  problems: Problems,
): ReadonlyMap<string, RoleRecord> {
  const roles = new Map<string, RoleRecord>();
  entries.forEach((entry, i) => {
    const path = ["roles", i];
    const role = checkRole(entry, undefined, { path, catalogue, problems });
    if (role === undefined) return;
    if (roles.has(role.name)) problems.add(path, `role ${quote(role.name)} is there twice`);
    roles.set(role.name, role);
  });
  for (const role of roles.values()) {
    for (const parent of role.inheritsFrom) {
      if (roles.has(parent)) continue;
      const hint = suggestion(parent, roles.keys());
      problems.add(["roles"], `${quote(role.name)} inherits from no role ${quote(parent)}${hint}`);
    }
  }
  const cycle = findCycle(roles);
  if (cycle !== undefined) problems.add(["roles"], `inheritance goes round: ${cycle.join(" → ")}`);
  return roles;
}
