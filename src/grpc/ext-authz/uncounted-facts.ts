import type { PipelineOptions } from "../../pipeline/options.ts";
import type { RbacOptions } from "./options.ts";

type Trust = PipelineOptions["trust"];
type Counted = "resource" | "mfa" | "ip";

/**
 * What a table of routes takes from requests, and nobody is trusted for, so that no policy sees it: for
 * each a sentence that warns of it. A policy that denies by a fact allows what it does not see.
 */
export function uncountedFacts(
  {
    routes,
    mfaVerifiedAt,
    clientAddress,
  }: Pick<RbacOptions, "routes" | "mfaVerifiedAt" | "clientAddress">,
  trust: Trust,
): readonly string[] {
  const taken: readonly (readonly [what: string, as: Counted, isTaken: boolean])[] = [
    ["routes take properties of resources", "resource", routes.some(takesProperties)],
    ["mfa_verified_at takes MFA evidence", "mfa", mfaVerifiedAt !== undefined],
    ["client_address takes the client's address", "ip", clientAddress !== undefined],
  ];
  return taken
    .filter(([, as, isTaken]) => isTaken && !isCounted(trust, as))
    .map(([what, as]) => `ext_authz.rbac.${what}, but pipeline.trust counts nobody's ${as}.`);
}

/** The id counts whoever states it. */
function takesProperties({ resource }: RbacOptions["routes"][number]): boolean {
  return Object.keys(resource).some((name) => name !== "id");
}

function isCounted({ unix, loopback, network, certificates }: Trust, as: Counted): boolean {
  return [unix, loopback, network, ...Object.values(certificates)].some((trust) => trust[as]);
}
