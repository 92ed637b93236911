import type { ConditionClass, PermissionSet } from "../decision/permission-set.ts";
import { type ApplicationModel, loadModel } from "./application-model.ts";
import { expandGrants } from "./expand-grants.ts";
import type { TableTransaction } from "./store.ts";
import { createSubjectReader } from "./subject-reader.ts";

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
  const read = createSubjectReader();
  return async (transaction, { application, subjectId, nowMs }) => {
    const { subject, groups, grants } = await read(transaction, { application, id: subjectId });
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
