import type { Clock } from "../base/clock.ts";
import type { Catalogue } from "../decision/catalogue.ts";
import type { JsonValue } from "../decision/json.ts";
import type { Policy } from "../engine/policy.ts";
import type { PreparedPolicy } from "../engine/prepared-policy.ts";
import type { ActivePolicy } from "./active-policy.ts";
import { BundleRefused, quoted } from "./bundle-refused.ts";
import type { BundleOptions } from "./options.ts";
import { partsRead } from "./parts-read.ts";
import { asPolicyStage, type PrepareBundle } from "./prepare-bundle.ts";
import type { FileContent } from "./read-file.ts";
import { runSelfTest } from "./self-test.ts";

/** What an activation needs. */
export interface ActivatorDeps {
  readonly options: BundleOptions;
  readonly clock: Clock;
  /** Reads and compiles, off the serving thread. */
  readonly prepare: PrepareBundle;
  /** Brings a prepared policy onto the serving thread, in steps that let it serve. */
  readonly load: (prepared: PreparedPolicy) => Promise<Policy>;
  /** The application's own catalogue, or else the one that a manifest names. */
  readonly catalogueFor: (
    application: string,
    manifestName: string | undefined,
  ) => Catalogue | undefined;
  /** What a policy finds at `data.postern`. */
  readonly hostData: (application: string, catalogue: Catalogue | undefined) => JsonValue;
  readonly signal: AbortSignal;
}

/** Makes a policy that is ready to come into force. Throws `BundleRefused`. */
export type ActivateBundle = (application: string, content: FileContent) => Promise<ActivePolicy>;

const DIGEST_SHOWN = 12;

/** Prepares aside, loads, and tests; whoever calls it decides what the result replaces. */
export function createActivator(deps: ActivatorDeps): ActivateBundle {
  return async (application, content) => {
    let catalogue: Catalogue | undefined;
    const prepared = await deps.prepare({
      bytes: content.bytes,
      limits: deps.options,
      signal: deps.signal,
      hostDataFor: async (metadata) => {
        catalogue = chooseCatalogue(deps.catalogueFor, application, metadata.catalogue);
        return JSON.stringify(deps.hostData(application, catalogue));
      },
    });
    const policy = await asPolicyStage(() => deps.load(prepared.policy));
    const wantsArrays = prepared.metadata.arrays;
    await runSelfTest({ ...deps, ...prepared, policy, wantsArrays, yieldToLoop });
    return Object.freeze({
      application,
      revision: prepared.revision || content.digest.slice(0, DIGEST_SHOWN),
      digest: content.digest,
      policy,
      entrypoints: prepared.entrypoints,
      catalogue,
      wantsArrays,
      reads: partsRead(prepared.metadata.reads?.paths),
    });
  };
}

function chooseCatalogue(
  catalogueFor: ActivatorDeps["catalogueFor"],
  application: string,
  named: string | undefined,
): Catalogue | undefined {
  const own = catalogueFor(application, undefined);
  if (named === undefined || named === own?.name) return own;
  if (own !== undefined) {
    throw new BundleRefused(
      "manifest",
      `metadata.postern.catalogue names ${quoted(named)}, but the application has its own ` +
        `catalogue, ${quoted(own.name)}`,
    );
  }
  const catalogue = catalogueFor(application, named);
  if (catalogue !== undefined) return catalogue;
  throw new BundleRefused(
    "manifest",
    `metadata.postern.catalogue names ${quoted(named)}, which is no catalogue here`,
  );
}

function yieldToLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
