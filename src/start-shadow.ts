import { systemTimers } from "./base/timers.ts";
import type { ActivePolicies } from "./bundle/active-policy.ts";
import type { BundlesDeps } from "./bundle/bundles.ts";
import { createCandidates } from "./bundle/candidates.ts";
import type { Config } from "./config/config.ts";
import { createShadow, type Shadow } from "./pipeline/shadow.ts";

/** What candidates and their evaluation take: what bundles take, and the policies in force. */
export interface ShadowParts extends BundlesDeps {
  readonly config: Config;
  readonly policies: ActivePolicies;
}

/**
 * Lets candidates be evaluated beside the policies in force; `undefined` where the configuration
 * names no folder of them.
 */
export function startShadow(
  { config, policies, ...parts }: ShadowParts,
  stops: (() => Promise<void> | void)[],
): Shadow | undefined {
  const folder = config.bundle.candidatesFolder;
  if (folder === undefined) return undefined;
  const candidates = createCandidates({ ...parts, folder });
  stops.push(() => candidates.close());
  candidates.start();
  return createShadow({
    ...{ ...parts, policies, candidates },
    options: config.pipeline.shadow,
    timers: systemTimers,
    random: Math.random,
  });
}
