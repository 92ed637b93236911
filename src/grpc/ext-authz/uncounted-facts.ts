import type { PipelineOptions } from "../../pipeline/options.ts";
import type { RbacOptions } from "./options.ts";

type Trust = PipelineOptions["trust"];
type Counted = "resource" | "mfa" | "ip";

/** What a table takes. */
export interface TakenFacts extends Pick<RbacOptions, "mfaVerifiedAt" | "clientAddress"> {
  /** By `takeProperties`. */
  readonly takesProperties: boolean;
}

/**
 * What a table of routes takes from requests, and nobody is trusted for, so that no policy sees it: for
 * each a sentence that warns of it. A policy that denies by a fact allows what it does not see.
 */
export function uncountedFacts(
  { takesProperties, mfaVerifiedAt, clientAddress }: TakenFacts,
  trust: Trust,
): readonly string[] {
  const taken: readonly (readonly [what: string, as: Counted, isTaken: boolean])[] = [
    ["routes take properties of resources", "resource", takesProperties],
    ["mfa_verified_at takes MFA evidence", "mfa", mfaVerifiedAt !== undefined],
    ["client_address takes the client's address", "ip", clientAddress !== undefined],
  ];
  return taken
    .filter(([, as, isTaken]) => isTaken && !isCounted(trust, as))
    .map(([what, as]) => `ext_authz.rbac.${what}, but pipeline.trust counts nobody's ${as}.`);
}

/** Whether routes take properties that count only if somebody is trusted for them; the id always counts. */
export function takeProperties(routes: RbacOptions["routes"]): boolean {
  return routes.some(({ resource }) => Object.keys(resource).some((name) => name !== "id"));
}

function isCounted({ unix, loopback, network, certificates }: Trust, as: Counted): boolean {
  return [unix, loopback, network, ...Object.values(certificates)].some((trust) => trust[as]);
}
