import type { CheckedEntry } from "./check-file.ts";
import { chunks, insertAll } from "./chunks.ts";
import { describeRemoval, describeSubject } from "./describe.ts";
import type { PlanItem } from "./plan.ts";
import { canonicalJson, parseJson, type SubjectRecord } from "./records.ts";
import type { TableTransaction } from "./store.ts";

/** Makes the subjects agree with the file's entries. Removing one removes its assignments too. */
export async function applySubjects(
  transaction: TableTransaction,
  entries: readonly CheckedEntry<SubjectRecord>[],
): Promise<readonly PlanItem[]> {
  const items: PlanItem[] = [];
  const about = { application: undefined, kind: "subject" } as const;
  for (const chunk of chunks(entries)) {
    const known = await readSubjects(
      transaction,
      chunk.map(({ record }) => record.id),
    );
    const removed: string[] = [];
    const written: SubjectRecord[] = [];
    for (const { record, isRemoval } of chunk) {
      const current = known.get(record.id);
      if (isRemoval) {
        if (current === undefined) continue;
        removed.push(record.id);
        items.push(describeRemoval({ ...about, name: record.id, subject: record.id }));
        continue;
      }
      const item = describeSubject(current, record);
      if (current !== undefined && item.details.length === 0) continue;
      written.push(record);
      items.push(item);
    }
    await deleteSubjects(transaction, removed);
    await writeSubjects(transaction, written);
  }
  return items;
}

/** Subjects by id, of those asked for that exist. */
export async function readSubjects(
  transaction: TableTransaction,
  ids: readonly string[],
): Promise<ReadonlyMap<string, SubjectRecord>> {
  const [rows, members] = await Promise.all([
    transaction.selectFrom("subjects").selectAll().where("id", "in", ids).execute(),
    transaction
      .selectFrom("group_members")
      .selectAll()
      .where("subject_id", "in", ids)
      .orderBy("group_name")
      .execute(),
  ]);
  const groups = Map.groupBy(members, ({ subject_id }) => subject_id);
  return new Map(
    rows.map((row) => [
      row.id,
      {
        id: row.id,
        type: row.type,
        disabled: row.disabled === 1,
        attributes: parseJson(row.attributes) as SubjectRecord["attributes"],
        groups: (groups.get(row.id) ?? []).map(({ group_name }) => group_name),
      },
    ]),
  );
}

async function deleteSubjects(
  transaction: TableTransaction,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  await transaction.deleteFrom("subjects").where("id", "in", ids).execute();
}

async function writeSubjects(
  transaction: TableTransaction,
  records: readonly SubjectRecord[],
): Promise<void> {
  if (records.length === 0) return;
  await transaction
    .insertInto("subjects")
    .values(
      records.map(({ id, type, disabled, attributes }) => ({
        id,
        type,
        disabled: Number(disabled),
        attributes: canonicalJson(attributes),
      })),
    )
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet((row) => ({
        type: row.ref("excluded.type"),
        disabled: row.ref("excluded.disabled"),
        attributes: row.ref("excluded.attributes"),
      })),
    )
    .execute();
  const ids = records.map(({ id }) => id);
  await transaction.deleteFrom("group_members").where("subject_id", "in", ids).execute();
  const members = records.flatMap(({ id, groups }) =>
    groups.map((group_name) => ({ subject_id: id, group_name })),
  );
  await insertAll(transaction, "group_members", members);
}
