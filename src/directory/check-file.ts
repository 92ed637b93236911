import { suggestion } from "../base/nearest.ts";
import type { Catalogue } from "../decision/catalogue.ts";
import type { JsonValue } from "../decision/json.ts";
import type { CatalogueDefinition } from "./catalogue-file.ts";
import { checkAssignment } from "./check-assignment.ts";
import { checkEntry } from "./check-entry.ts";
import { checkMapping, checkRole } from "./check-role.ts";
import { checkSubject } from "./check-subject.ts";
import { assignmentName } from "./describe.ts";
import type { DirectoryText } from "./directory.ts";
import { applicationEntrySchema, directoryFileSchema } from "./directory-file.ts";
import { type FieldPath, type Problems, quote } from "./problems.ts";
import type { AssignmentRecord, MappingRecord, RoleRecord, SubjectRecord } from "./records.ts";
import { readYaml } from "./yaml-text.ts";

/** An entry of a file that is right by itself, and where it stands. */
export interface CheckedEntry<R> {
  readonly path: FieldPath;
  readonly isRemoval: boolean;
  readonly record: R;
}

/** One application's part of a file. */
export interface CheckedApplication {
  readonly definition: CatalogueDefinition;
  readonly roles: readonly CheckedEntry<RoleRecord>[];
  readonly mappings: readonly CheckedEntry<MappingRecord>[];
  /** One for each role and pattern of each entry. */
  readonly assignments: readonly CheckedEntry<AssignmentRecord>[];
}

/** A file in which everything that can be judged without the directory has been. */
export interface CheckedFile {
  readonly subjects: readonly CheckedEntry<SubjectRecord>[];
  readonly applications: ReadonlyMap<string, CheckedApplication>;
  /** Takes what only the directory can tell. */
  readonly problems: Problems;
}

/** Reads and checks a directory file. Mistakes are in `problems`; only text that isn't YAML throws. */
export function checkFile(
  file: DirectoryText,
  definitions: ReadonlyMap<string, CatalogueDefinition>,
): CheckedFile {
  const { value, problems } = readYaml(file);
  const applications = new Map<string, CheckedApplication>();
  if (!checkEntry(directoryFileSchema, value ?? Object.create(null), { path: [], problems })) {
    return { subjects: [], applications, problems };
  }
  const outline = (value ?? {}) as { subjects?: unknown[]; applications?: Record<string, unknown> };
  const subjects = checkList(outline.subjects ?? [], ["subjects"], (entry, path) => {
    const record = checkSubject(entry, path, problems);
    return record === undefined ? [] : [record];
  });
  refuseTwice(subjects, problems, ({ id }) => id);
  for (const [name, part] of Object.entries(outline.applications ?? {})) {
    const path = ["applications", name];
    const definition = definitions.get(name);
    if (definition === undefined) {
      const known = [...definitions.keys()];
      const hint = suggestion(name, known) || `; expected one of ${known.join(", ")}`;
      problems.add(path, `no application with a catalogue is called ${quote(name)}${hint}`);
    } else if (checkEntry(applicationEntrySchema, part, { path, problems })) {
      applications.set(name, checkApplication(part, { path, definition, problems }));
    }
  }
  return { subjects, applications, problems };
}

function checkApplication(
  part: { roles?: unknown[]; groupMappings?: unknown[]; assignments?: unknown[] },
  context: {
    readonly path: FieldPath;
    readonly definition: CatalogueDefinition;
    readonly problems: Problems;
  },
): CheckedApplication {
  const { definition, problems } = context;
  const catalogue: Catalogue = definition.catalogue;
  const roles = checkList(part.roles ?? [], [...context.path, "roles"], (entry, path) => {
    const base = definition.roles.get(nameOf(entry));
    const record = checkRole(entry, base, { path, catalogue, problems });
    return record === undefined ? [] : [record];
  });
  refuseTwice(roles, problems, ({ name }) => name);
  const mappings = checkList(
    part.groupMappings ?? [],
    [...context.path, "groupMappings"],
    (entry, path) => {
      const record = checkMapping(entry, { path, catalogue, problems });
      return record === undefined ? [] : [record];
    },
  );
  refuseTwice(mappings, problems, ({ group }) => group);
  const assignments = checkList(
    part.assignments ?? [],
    [...context.path, "assignments"],
    (entry, path) => checkAssignment(entry, { path, catalogue, problems }),
  );
  refuseTwice(assignments, problems, assignmentName);
  return { definition, roles, mappings, assignments };
}

function checkList<R>(
  entries: readonly unknown[],
  path: FieldPath,
  check: (entry: unknown, path: FieldPath) => readonly R[],
): readonly CheckedEntry<R>[] {
  return entries.flatMap((entry, i) => {
    const entryPath = [...path, i];
    return check(entry, entryPath).map((record) => ({
      path: entryPath,
      isRemoval: (entry as { remove?: JsonValue }).remove === true,
      record,
    }));
  });
}

function refuseTwice<R>(
  entries: readonly CheckedEntry<R>[],
  problems: Problems,
  nameOf: (record: R) => string,
): void {
  const seen = new Set<string>();
  for (const { path, record } of entries) {
    const name = nameOf(record);
    if (seen.has(name)) problems.add(path, `${quote(name)} is there twice; expected one entry`);
    seen.add(name);
  }
}

function nameOf(entry: unknown): string {
  return String((entry as { name?: unknown } | null)?.name);
}
