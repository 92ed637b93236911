import { suggestion } from "../base/nearest.ts";
import type { ApplicationModel, Origin } from "./application-model.ts";
import type { CheckedApplication, CheckedEntry } from "./check-file.ts";
import { findCycle } from "./inheritance.ts";
import { type Problems, quote } from "./problems.ts";
import type { MappingRecord, RoleRecord } from "./records.ts";
import {
  type DesiredMapping,
  type DesiredModel,
  type DesiredRole,
  isSameRecord,
} from "./save-model.ts";

/** What the file makes of an application's roles and mappings; what is wrong goes to `problems`. */
export function desiredModel(
  current: ApplicationModel,
  file: CheckedApplication,
  limits: { readonly problems: Problems; readonly rolesMax: number },
): DesiredModel {
  const { definition } = file;
  const roles: ReadonlyMap<string, DesiredRole> = overlay(current.roles, {
    entries: file.roles,
    system: definition.roles,
    keyOf: ({ name }: RoleRecord) => name,
  });
  const mappings: ReadonlyMap<string, DesiredMapping> = overlay(current.mappings, {
    entries: file.mappings,
    system: definition.mappings,
    keyOf: ({ group }: MappingRecord) => group,
  });
  const { problems, rolesMax } = limits;
  const { name } = definition.catalogue;
  const path = ["applications", name];
  if (roles.size > rolesMax) problems.add([...path, "roles"], `expected at most ${rolesMax} roles`);
  if (mappings.size > rolesMax) {
    problems.add([...path, "groupMappings"], `expected at most ${rolesMax} mappings`);
  }
  checkInheritance(roles, file.roles, problems);
  warnOfMappings(roles, file.mappings, problems);
  return { roles, mappings };
}

function overlay<R extends RoleRecord | MappingRecord>(
  current: ReadonlyMap<string, Origin & { readonly record: R }>,
  file: {
    readonly entries: readonly CheckedEntry<R>[];
    readonly system: ReadonlyMap<string, R>;
    readonly keyOf: (record: R) => string;
  },
): ReadonlyMap<string, Origin & { readonly record: R }> {
  const desired = new Map(current);
  for (const { record, isRemoval } of file.entries) {
    const key = file.keyOf(record);
    const system = file.system.get(key);
    if (system === undefined) {
      if (isRemoval) desired.delete(key);
      else desired.set(key, { record, isSystem: false, isCustomised: false });
    } else if (isRemoval) {
      desired.set(key, { record: system, isSystem: true, isCustomised: false });
    } else {
      desired.set(key, { record, isSystem: true, isCustomised: !isSameRecord(record, system) });
    }
  }
  return desired;
}

function checkInheritance(
  roles: ReadonlyMap<string, DesiredRole>,
  entries: readonly CheckedEntry<RoleRecord>[],
  problems: Problems,
): void {
  const paths = new Map(entries.map(({ record, path }) => [record.name, path]));
  for (const { record } of roles.values()) {
    for (const parent of record.inheritsFrom) {
      if (roles.has(parent)) continue;
      const removal = paths.get(parent);
      if (removal !== undefined) {
        problems.add(
          removal,
          `role ${quote(parent)} stays: ${quote(record.name)} inherits from it`,
        );
        continue;
      }
      const hint = suggestion(parent, roles.keys());
      const path = [...(paths.get(record.name) ?? []), "inheritsFrom"];
      problems.add(path, `there is no role ${quote(parent)} to inherit from${hint}`);
    }
  }
  const cycle = findCycle(new Map([...roles].map(([name, { record }]) => [name, record])));
  if (cycle === undefined) return;
  const culprit = cycle.find((name) => paths.has(name));
  const path = [...((culprit && paths.get(culprit)) || []), "inheritsFrom"];
  const isRound = cycle.indexOf(cycle.at(-1)!) < cycle.length - 1;
  const what = isRound ? "inheritance goes round" : "inheritance is too deep";
  problems.add(path, `${what}: ${cycle.join(" → ")}`);
}

function warnOfMappings(
  roles: ReadonlyMap<string, DesiredRole>,
  entries: readonly CheckedEntry<MappingRecord>[],
  problems: Problems,
): void {
  for (const { record, path, isRemoval } of entries) {
    if (isRemoval) continue;
    for (const name of record.roles) {
      const role = roles.get(name);
      if (role === undefined) {
        const hint = suggestion(name, roles.keys());
        problems.warn(
          path,
          `there is no role ${quote(name)} yet: members get nothing by it${hint}`,
        );
      } else if (role.record.assignment === "manual") {
        const members = `every member of ${quote(record.group)} gets it`;
        problems.warn(path, `role ${quote(name)} is meant to be assigned by hand; ${members}`);
      }
    }
  }
}
