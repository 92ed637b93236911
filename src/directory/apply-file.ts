import { loadModel, type ModelRole } from "./application-model.ts";
import { applyAssignments } from "./apply-assignments.ts";
import { applySubjects } from "./apply-subjects.ts";
import type { CheckedApplication, CheckedFile } from "./check-file.ts";
import { desiredModel } from "./desired-model.ts";
import type { PlanItem } from "./plan.ts";
import { type Problems, quote } from "./problems.ts";
import { deleteRoles, saveModel } from "./save-model.ts";
import type { TableTransaction } from "./store.ts";

/**
 * Makes the tables agree with a file, and says what that changed. Throws `PdpError`
 * `invalid-argument` for what only the directory can tell to be wrong; the transaction is then
 * to be rolled back.
 */
export async function applyFile(
  transaction: TableTransaction,
  file: CheckedFile,
  limits: { readonly rolesMax: number },
): Promise<readonly PlanItem[]> {
  const { problems } = file;
  const items = [...(await applySubjects(transaction, file.subjects))];
  for (const [application, part] of file.applications) {
    items.push(
      ...(await applyApplication(transaction, part, { application, problems, ...limits })),
    );
  }
  problems.throwIfAny();
  return items;
}

interface ApplicationContext {
  readonly application: string;
  readonly problems: Problems;
  readonly rolesMax: number;
}

async function applyApplication(
  transaction: TableTransaction,
  file: CheckedApplication,
  context: ApplicationContext,
): Promise<readonly PlanItem[]> {
  const { application, problems } = context;
  const current = await loadModel(transaction, application);
  const desired = desiredModel(current, file, context);
  // Rows that point nowhere can't be written, so that what follows could not be checked.
  problems.throwIfAny();
  const saved = await saveModel(transaction, application, { current, desired });
  const { roleIds, rolesToDelete } = saved;
  const target = { application, roleIds, problems };
  const assignments = await applyAssignments(transaction, file.assignments, target);
  await refuseAssigned(transaction, rolesToDelete, { file, problems });
  problems.throwIfAny();
  await deleteRoles(transaction, rolesToDelete);
  return [...saved.items, ...assignments];
}

async function refuseAssigned(
  transaction: TableTransaction,
  roles: readonly ModelRole[],
  { file, problems }: { readonly file: CheckedApplication; readonly problems: Problems },
): Promise<void> {
  for (const { id, record } of roles) {
    const holders = await transaction
      .selectFrom("role_assignments")
      .select((row) => [row.fn.countAll().as("count"), row.fn.min("subject_id").as("example")])
      .where("role_id", "=", id)
      .executeTakeFirstOrThrow();
    if (Number(holders.count) === 0) continue;
    const path = file.roles.find((entry) => entry.record.name === record.name)?.path ?? [];
    problems.add(
      path,
      `role ${quote(record.name)} stays: ${holders.count} assignment(s) give it, ` +
        `the first to ${quote(holders.example)}`,
    );
  }
}
