import { parseNetwork } from "../base/ip-network.ts";
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
  return text.includes("/") && parseNetwork(text) !== undefined
    ? undefined
    : `${quote(text)}: expected a network such as 10.0.0.0/8 or fd00::/8`;
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
