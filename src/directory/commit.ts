import { randomUUID } from "node:crypto";
import type { TableTransaction } from "./store.ts";

/**
 * Changes remembered for who looks later; who is further behind is told "all". With as many subjects
 * as may be named in each, a look that comes late reads a few hundred MB of them at most.
 */
const CHANGES_KEPT = 1_000;
/** Above it, forgetting everything is cheaper than naming everybody. */
const SUBJECTS_NAMED_MAX = 10_000;

/** What a transaction touched. */
export interface Touched {
  readonly subjects: "all" | ReadonlySet<string>;
  /** Applications whose roles, mappings or catalogue changed. */
  readonly models: Iterable<string>;
}

/**
 * Takes the next generation for what the transaction did. Its last step before the commit.
 *
 * Caches live on these: every change of a permission set takes one, and they are committed in their
 * order (the row stays locked until the commit), so that who has seen one has seen those before it.
 */
export async function takeGeneration(
  transaction: TableTransaction,
  touched: Touched,
): Promise<number> {
  const { generation } = await transaction
    .updateTable("state")
    .set((state) => ({ generation: state("generation", "+", 1) }))
    .returning("generation")
    .executeTakeFirstOrThrow();
  for (const name of touched.models) {
    await transaction
      .updateTable("applications")
      .set({ model_generation: generation })
      .where("name", "=", name)
      .execute();
  }
  const { subjects } = touched;
  const areNamed = subjects !== "all" && subjects.size <= SUBJECTS_NAMED_MAX;
  await transaction
    .insertInto("changes")
    .values({
      generation,
      id: randomUUID(),
      subjects: areNamed ? JSON.stringify([...subjects]) : null,
    })
    .execute();
  await transaction
    .deleteFrom("changes")
    .where("generation", "<=", generation - CHANGES_KEPT)
    .execute();
  return generation;
}

/** The newest committed generation. */
export async function readGeneration(transaction: TableTransaction): Promise<number> {
  const state = await transaction
    .selectFrom("state")
    .select("generation")
    .executeTakeFirstOrThrow();
  return state.generation;
}
