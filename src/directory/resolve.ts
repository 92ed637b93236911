import type { ConditionClass, PermissionSet } from "../decision/permission-set.ts";
import { type ApplicationModel, loadModel } from "./application-model.ts";
import { expandGrants, type SubjectGrant } from "./expand-grants.ts";
import type { TableTransaction } from "./store.ts";
import { createSubjectReader, type GrantedRole } from "./subject-reader.ts";

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
    const state = await read(transaction, { application, id: subjectId });
    const { subject, groups } = state;
    const { status, type, attributes, generation, modelGeneration } = subject;
    let classes: readonly ConditionClass[] = [];
    if (options.hasCatalogue(application) && status !== "disabled") {
      const { model, roleNames } = await modelOf(transaction, application, modelGeneration);
      const grants = [...roleGrants(state.roles, roleNames), ...state.patterns];
      const current = grants.filter(({ expiresAtMs }) => (expiresAtMs ?? Infinity) > nowMs);
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

/** Those of the application's roles, in the order of their names. */
function roleGrants(
  granted: readonly GrantedRole[],
  roleNames: ReadonlyMap<number, string>,
): readonly SubjectGrant[] {
  return granted
    .flatMap(({ roleId, ...terms }) => {
      const role = roleNames.get(roleId);
      return role === undefined ? [] : [{ ...terms, given: { kind: "role", role } as const }];
    })
    .sort((a, b) => (a.given.role < b.given.role ? -1 : Number(a.given.role > b.given.role)));
}

function earliestExpiry(classes: readonly ConditionClass[]): number | undefined {
  let earliest: number | undefined;
  for (const { conditions } of classes) {
    const { expiresAtMs } = conditions;
    if (expiresAtMs !== undefined && expiresAtMs < (earliest ?? Infinity)) earliest = expiresAtMs;
  }
  return earliest;
}

interface KeptModel {
  readonly generation: number;
  readonly model: ApplicationModel;
  /** By id. */
  readonly roleNames: ReadonlyMap<number, string>;
}

/** Models by application, each as of the generation at which it changed last. */
function createModels() {
  const kept = new Map<string, KeptModel>();
  return async (
    transaction: TableTransaction,
    application: string,
    generation: number,
  ): Promise<KeptModel> => {
    const known = kept.get(application);
    // Two snapshots may be in use at once: whichever comes last is kept, neither is mixed up.
    if (known?.generation === generation) return known;
    const model = await loadModel(transaction, application);
    const roleNames = new Map([...model.roles].map(([name, { id }]) => [id, name]));
    const current = { generation, model, roleNames };
    kept.set(application, current);
    return current;
  };
}
