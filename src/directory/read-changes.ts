import type { DirectoryChange } from "./directory.ts";
import { parseJson } from "./records.ts";
import type { TableTransaction } from "./store.ts";

/** How far the record of changes goes. */
export interface ChangePosition {
  readonly generation: number;
  /**
   * Which change of that generation: a copy that was put back has others. Empty where there is none,
   * `undefined` where it doesn't matter.
   */
  readonly changeId: string | undefined;
}

/** What was read at once. */
export interface ChangesRead {
  /** In order. */
  readonly changes: readonly DirectoryChange[];
  /** The newest. */
  readonly position: ChangePosition;
}

/** The newest change. */
export async function readPosition(transaction: TableTransaction): Promise<ChangePosition> {
  const { generation, id } = await transaction
    .selectFrom("state")
    .leftJoin("changes", "changes.generation", "state.generation")
    .select(["state.generation", "changes.id"])
    .executeTakeFirstOrThrow();
  return { generation, changeId: id ?? "" };
}

/**
 * The changes after a position; one for "all" where some are no longer remembered, and one that is a
 * restart where it is not certain that they follow it.
 */
export async function readChanges(
  transaction: TableTransaction,
  after: ChangePosition,
): Promise<ChangesRead> {
  const position = await readPosition(transaction);
  const { generation } = position;
  if (generation === after.generation && isSameId(after, position.changeId)) {
    return { changes: [], position };
  }
  const rows = await transaction
    .selectFrom("changes")
    .selectAll()
    .where("generation", ">=", after.generation)
    .orderBy("generation")
    .execute();
  const changeId = rows[0]?.generation === after.generation ? rows.shift()!.id : "";
  if (generation < after.generation || !isSameId(after, changeId)) {
    return { changes: [{ generation, subjects: "all", isRestart: true }], position };
  }
  if (rows.length !== generation - after.generation) {
    return { changes: [{ generation, subjects: "all" }], position };
  }
  const changes = rows.map((row): DirectoryChange => {
    const subjects = row.subjects === null ? "all" : (parseJson(row.subjects) as string[]);
    return { generation: row.generation, subjects };
  });
  return { changes, position };
}

function isSameId({ changeId }: ChangePosition, found: string | undefined): boolean {
  return changeId === undefined || changeId === found;
}
