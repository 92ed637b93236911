import type { Logger } from "../base/logger.ts";
import { loadModel, type Origin } from "./application-model.ts";
import type { CatalogueDefinition } from "./catalogue-file.ts";
import { complainOfPattern } from "./check-values.ts";
import { takeGeneration } from "./commit.ts";
import type { MappingRecord, RoleRecord } from "./records.ts";
import { saveModel } from "./save-model.ts";
import type { Store, TableTransaction } from "./store.ts";

/**
 * Takes the catalogues over into the directory: system roles and mappings that nobody customised
 * become what the files say. Does nothing if the directory has taken over the same files already.
 */
export async function syncCatalogues(
  store: Store,
  definitions: ReadonlyMap<string, CatalogueDefinition>,
  logger: Logger,
): Promise<void> {
  const isStale = (transaction: TableTransaction): Promise<CatalogueDefinition[]> =>
    staleDefinitions(transaction, definitions);
  if ((await store.read(isStale)).length === 0) return;
  await store.write(async (transaction) => {
    const stale = await isStale(transaction);
    for (const definition of stale) await syncCatalogue(transaction, definition, logger);
    const models = stale.map(({ catalogue }) => catalogue.name);
    if (stale.length > 0) await takeGeneration(transaction, { subjects: "all", models });
  });
}

async function staleDefinitions(
  transaction: TableTransaction,
  definitions: ReadonlyMap<string, CatalogueDefinition>,
): Promise<CatalogueDefinition[]> {
  const rows = await transaction.selectFrom("applications").selectAll().execute();
  const digests = new Map(rows.map((row) => [row.name, row.catalogue_digest]));
  return [...definitions].flatMap(([name, definition]) =>
    digests.get(name) === definition.digest ? [] : [definition],
  );
}

async function syncCatalogue(
  transaction: TableTransaction,
  definition: CatalogueDefinition,
  logger: Logger,
): Promise<void> {
  const { catalogue, digest } = definition;
  const application = catalogue.name;
  const log = logger.child({ application });
  await transaction
    .insertInto("applications")
    .values({ name: application, catalogue_digest: digest, model_generation: 0 })
    .onConflict((conflict) => conflict.column("name").doUpdateSet({ catalogue_digest: digest }))
    .execute();
  const current = await loadModel(transaction, application);
  // A pattern that covers nothing any more would come back to life with a later catalogue.
  const inCatalogue = (patterns: readonly string[]): readonly string[] =>
    patterns.filter((pattern) => {
      const isIn = complainOfPattern(pattern, catalogue) === undefined;
      if (!isIn) log.warn({ pattern }, "Pattern dropped: it is outside the new catalogue.");
      return isIn;
    });
  const desired = {
    roles: merge<RoleRecord>(current.roles, definition.roles, inCatalogue),
    mappings: merge<MappingRecord>(current.mappings, definition.mappings, inCatalogue),
  };
  // Roles that only the old catalogue had are kept as custom ones: somebody may have them.
  await saveModel(transaction, application, { current, desired });
  await dropForeignPatterns(transaction, application, inCatalogue);
  for (const { group, roles } of definition.mappings.values()) {
    for (const role of roles) {
      if (desired.roles.has(role)) continue;
      log.warn({ group, role }, "The catalogue maps a group to a role that does not exist yet.");
    }
  }
}

function merge<R extends RoleRecord | MappingRecord>(
  current: ReadonlyMap<string, Origin & { readonly record: R }>,
  system: ReadonlyMap<string, R>,
  inCatalogue: (patterns: readonly string[]) => readonly string[],
): ReadonlyMap<string, Origin & { readonly record: R }> {
  const merged = new Map<string, Origin & { readonly record: R }>();
  for (const [key, { record, isSystem, isCustomised }] of current) {
    const isOperators = !isSystem || isCustomised;
    // A system mapping that the catalogue has given up is nobody's; a role may be somebody's.
    if (!isOperators && !("name" in record) && !system.has(key)) continue;
    const kept = { ...record, permissions: inCatalogue(record.permissions) };
    merged.set(key, { record: kept, isSystem: false, isCustomised: false });
    if (isOperators && system.has(key)) {
      merged.set(key, { record: kept, isSystem: true, isCustomised: true });
    }
  }
  for (const [key, record] of system) {
    if (merged.get(key)?.isCustomised) continue;
    merged.set(key, { record, isSystem: true, isCustomised: false });
  }
  return merged;
}

async function dropForeignPatterns(
  transaction: TableTransaction,
  application: string,
  inCatalogue: (patterns: readonly string[]) => readonly string[],
): Promise<void> {
  const rows = await transaction
    .selectFrom("permission_assignments")
    .select("pattern")
    .distinct()
    .where("application", "=", application)
    .execute();
  const patterns = rows.map(({ pattern }) => pattern);
  const kept = new Set(inCatalogue(patterns));
  const foreign = patterns.filter((pattern) => !kept.has(pattern));
  if (foreign.length === 0) return;
  await transaction
    .deleteFrom("permission_assignments")
    .where("application", "=", application)
    .where("pattern", "in", foreign)
    .execute();
}
