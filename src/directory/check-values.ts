import { isIP } from "node:net";
import { suggestion } from "../base/nearest.ts";
import type { Catalogue } from "../decision/catalogue.ts";
import { checkId, checkTerm, patternCovers } from "../decision/names.ts";
import { quote } from "./problems.ts";

/** Each check gives what is wrong, or `undefined`. */
type Complaint = string | undefined;

/** A name of a resource type, action, role or limit. */
export function complainOfTerm(name: string): Complaint {
  return holds(() => checkTerm(name, ""))
    ? undefined
    : `${quote(name)}: expected a letter, then letters, digits, _ . -, at most 63 characters`;
}

/** The id of a subject, or the name of a group or attribute. */
export function complainOfId(id: string): Complaint {
  return holds(() => checkId(id, ""))
    ? undefined
    : `${quote(id)}: expected 1 to 256 bytes of UTF-8 without control characters`;
}

/** A pattern that covers no permission of the catalogue. */
export function complainOfPattern(pattern: string, catalogue: Catalogue): Complaint {
  const { permissions } = catalogue;
  if (permissions.has(pattern)) return undefined;
  const [resource = "", action = "", ...rest] = pattern.split(":");
  if (rest.length > 0 || resource === "" || action === "") {
    return `${quote(pattern)}: expected resource:action, either may be *`;
  }
  if (pattern.includes("*")) {
    for (const permission of permissions.values()) {
      if (patternCovers(pattern, permission.resource, permission.action)) return undefined;
    }
  }
  const actions = catalogue.resourceTypes.get(resource)?.actions;
  const hint =
    actions === undefined
      ? suggestion(pattern, permissions.keys())
      : suggestion(action, actions) || `; ${resource} has ${actions.join(", ")}`;
  return `${quote(pattern)} is outside the catalogue of ${catalogue.name}${hint}`;
}

/** A network that is not written as address/prefix. */
export function complainOfCidr(text: string): Complaint {
  const [address = "", prefix = "", ...rest] = text.split("/");
  const version = address.includes("%") ? 0 : isIP(address);
  const bits = /^(0|[1-9]\d{0,2})$/.test(prefix) ? Number(prefix) : Number.POSITIVE_INFINITY;
  const ok = rest.length === 0 && version !== 0 && bits <= (version === 4 ? 32 : 128);
  return ok ? undefined : `${quote(text)}: expected a network such as 10.0.0.0/8 or fd00::/8`;
}

const INSTANT =
  /^(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** Milliseconds since the epoch of an RFC 3339 text; `undefined` if it is not one. */
export function instantOf(text: string): number | undefined {
  const parts = INSTANT.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day] = parts.map(Number) as [number, number, number, number];
  // `Date` turns the 30th of February into a day of March instead of refusing it.
  const calendar = new Date(Date.UTC(year, month - 1, day));
  if (calendar.getUTCMonth() !== month - 1 || calendar.getUTCDate() !== day) return undefined;
  const ms = Date.parse(text.toUpperCase());
  return Number.isFinite(ms) ? ms : undefined;
}

function holds(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    // Only the yes or no is wanted: the message here names the place in the file.
    return false;
  }
}
