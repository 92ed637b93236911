import { KiB } from "../base/sizes.ts";
import type { JsonValue } from "../decision/json.ts";
import { reservedAttributes } from "../decision/permission-set.ts";
import { checkEntry } from "./check-entry.ts";
import { checkEach, complain } from "./check-role.ts";
import { complainOfId } from "./check-values.ts";
import { type SubjectEntry, subjectEntrySchema } from "./directory-file.ts";
import { type FieldPath, type Problems, quote } from "./problems.ts";
import { canonicalJson, type SubjectRecord, sortedUnique } from "./records.ts";

/** They are part of every permission set in memory and of every input. */
const ATTRIBUTES_BYTES_MAX = 64 * KiB;
const GROUPS_MAX = 2_000;

/** Checks a subject's entry. `undefined` = mistakes, which are in `problems`. */
export function checkSubject(
  entry: unknown,
  path: FieldPath,
  problems: Problems,
): SubjectRecord | undefined {
  const before = problems.count();
  if (!checkEntry(subjectEntrySchema, entry, { path, problems })) return undefined;
  const { id, type, disabled, groups, attributes } = entry as SubjectEntry;
  complain(problems, [...path, "id"], complainOfId(id));
  checkEach(groups, [...path, "groups"], { problems, complaint: complainOfId });
  if (groups !== undefined && groups.length > GROUPS_MAX) {
    problems.add([...path, "groups"], `expected at most ${GROUPS_MAX} items`);
  }
  checkAttributes(attributes, [...path, "attributes"], problems);
  if (problems.count() > before) return undefined;
  return {
    id,
    type: type ?? "user",
    disabled: disabled ?? false,
    attributes: (attributes ?? Object.create(null)) as SubjectRecord["attributes"],
    groups: sortedUnique(groups ?? []),
  };
}

function checkAttributes(
  attributes: SubjectEntry["attributes"],
  path: FieldPath,
  problems: Problems,
): void {
  if (attributes === undefined) return;
  for (const name of Object.keys(attributes)) {
    complain(problems, [...path, name], complainOfId(name));
    if (!reservedAttributes.has(name)) continue;
    problems.add([...path, name], `${quote(name)} is reserved; expected another name`);
  }
  const bytes = Buffer.byteLength(canonicalJson(attributes as { [name: string]: JsonValue }));
  if (bytes <= ATTRIBUTES_BYTES_MAX) return;
  problems.add(path, `expected at most ${ATTRIBUTES_BYTES_MAX} bytes as JSON, not ${bytes}`);
}
