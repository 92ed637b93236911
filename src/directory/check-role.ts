import { nearest } from "../base/nearest.ts";
import type { Catalogue } from "../decision/catalogue.ts";
import type { JsonObject, JsonValue } from "../decision/json.ts";
import { checkEntry } from "./check-entry.ts";
import { complainOfCidr, complainOfId, complainOfPattern, complainOfTerm } from "./check-values.ts";
import {
  type MappingEntry,
  mappingEntrySchema,
  type RoleEntry,
  roleEntrySchema,
} from "./directory-file.ts";
import { type FieldPath, type Problems, quote } from "./problems.ts";
import {
  type MappingRecord,
  noRestrictions,
  type Restrictions,
  type RoleRecord,
  sortedUnique,
} from "./records.ts";

/** What an entry is checked against, and where mistakes go. */
export interface EntryContext {
  readonly path: FieldPath;
  readonly catalogue: Catalogue;
  readonly problems: Problems;
}

const DEMANDS = ["mfa", "ipWhitelist", "authentication"];
const LIMIT_LENGTH_MAX = 256;

/** Checks a role's entry; fields it leaves out are taken from `base`. `undefined` = mistakes. */
export function checkRole(
  entry: unknown,
  base: RoleRecord | undefined,
  context: EntryContext,
): RoleRecord | undefined {
  const { path, problems } = context;
  const before = problems.count();
  if (!checkEntry(roleEntrySchema, entry, context)) return undefined;
  const role = entry as RoleEntry;
  complain(problems, [...path, "name"], complainOfTerm(role.name));
  checkPatterns(role.permissions, context);
  checkEach(role.inheritsFrom, [...path, "inheritsFrom"], { problems, complaint: complainOfTerm });
  const restrictions = checkRestrictions(role.restrictions, context);
  if (problems.count() > before) return undefined;
  return {
    name: role.name,
    description: role.description ?? base?.description ?? "",
    assignment: role.assignment ?? base?.assignment ?? "group",
    permissions: sortedUnique(role.permissions ?? base?.permissions ?? []),
    inheritsFrom: sortedUnique(role.inheritsFrom ?? base?.inheritsFrom ?? []),
    restrictions: restrictions ?? base?.restrictions ?? noRestrictions,
  };
}

/** Checks a group mapping's entry. `undefined` = mistakes. */
export function checkMapping(entry: unknown, context: EntryContext): MappingRecord | undefined {
  const { path, problems } = context;
  const before = problems.count();
  if (!checkEntry(mappingEntrySchema, entry, context)) return undefined;
  const mapping = entry as MappingEntry;
  complain(problems, [...path, "group"], complainOfId(mapping.group));
  checkPatterns(mapping.permissions, context);
  checkEach(mapping.roles, [...path, "roles"], { problems, complaint: complainOfTerm });
  if (problems.count() > before) return undefined;
  return {
    group: mapping.group,
    roles: sortedUnique(mapping.roles ?? []),
    permissions: sortedUnique(mapping.permissions ?? []),
  };
}

/** Checks `permissions` of an entry: each must cover something in the catalogue. */
export function checkPatterns(
  patterns: readonly string[] | undefined,
  context: EntryContext,
): void {
  checkEach(patterns, [...context.path, "permissions"], {
    problems: context.problems,
    complaint: (pattern) => complainOfPattern(pattern, context.catalogue),
  });
}

/** Reports each item of a list that `complaint` objects to. */
export function checkEach(
  items: readonly string[] | undefined,
  path: FieldPath,
  by: { readonly problems: Problems; readonly complaint: (item: string) => string | undefined },
): void {
  items?.forEach((item, i) => {
    complain(by.problems, [...path, i], by.complaint(item));
  });
}

/** Reports a complaint, if there is one. */
export function complain(problems: Problems, path: FieldPath, complaint: string | undefined): void {
  if (complaint !== undefined) problems.add(path, complaint);
}

function checkRestrictions(
  restrictions: RoleEntry["restrictions"],
  context: EntryContext,
): Restrictions | undefined {
  if (restrictions === undefined) return undefined;
  const { problems } = context;
  const path = [...context.path, "restrictions"];
  const { mfa, ipWhitelist, authentication, ...rest } = restrictions;
  checkEach(ipWhitelist, [...path, "ipWhitelist"], { problems, complaint: complainOfCidr });
  const limits = Object.create(null) as Record<string, JsonValue>;
  for (const [name, value] of Object.entries(rest)) {
    complain(problems, [...path, name], complainOfLimit(name, value));
    limits[name] = value as JsonValue;
  }
  return {
    mfa: mfa === "required" || mfa === "recommended" ? mfa : "none",
    ipWhitelist: sortedUnique(ipWhitelist ?? []),
    authentication,
    limits: limits as JsonObject,
  };
}

function complainOfLimit(name: string, value: unknown): string | undefined {
  // A misspelt demand taken for a limit would silently demand nothing. `mfa` is so short that it
  // is near to honest names, such as `max`.
  const near = nearest(name, DEMANDS);
  const isMeant = near !== undefined && (near !== "mfa" || /^mf/i.test(name));
  if (isMeant) return `unknown key; did you mean ${quote(near)}?`;
  if (typeof value === "number" || typeof value === "boolean") return complainOfTerm(name);
  if (typeof value === "string" && value.length <= LIMIT_LENGTH_MAX) return complainOfTerm(name);
  return `expected a number, true, false, or a text of at most ${LIMIT_LENGTH_MAX} characters`;
}
