import type { PolicySource, PreparedPolicy } from "../engine/prepared-policy.ts";
import type { DecisionEntrypoints } from "./active-policy.ts";
import { withHostData } from "./base-document.ts";
import { BundleRefused } from "./bundle-refused.ts";
import { chooseEntrypoints } from "./choose-entrypoints.ts";
import { checkReads, type PosternMetadata } from "./manifest.ts";
import type { BundleLimits } from "./options.ts";
import { readBundle } from "./read-bundle.ts";
import type { SelfTestCase } from "./self-test-cases.ts";

/** A bundle that lacks only its place on the serving thread. Can be posted between threads. */
export interface PreparedBundle {
  /** Empty if the bundle states none. */
  readonly revision: string;
  readonly metadata: PosternMetadata;
  readonly entrypoints: DecisionEntrypoints;
  readonly cases: readonly SelfTestCase[];
  readonly policy: PreparedPolicy;
}

/**
 * Says what stands at `data.postern`, as JSON text, for a bundle with this metadata. Throws
 * `BundleRefused`.
 */
export type HostDataFor = (metadata: PosternMetadata) => Promise<string>;

/** One bundle to prepare. */
export interface Preparation {
  /** The bundle file. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly limits: BundleLimits;
  readonly hostDataFor: HostDataFor;
  /** Gives up; the result is not wanted any more. */
  readonly signal: AbortSignal;
}

/** Reads, checks and compiles a bundle file. Throws `BundleRefused`. */
export type PrepareBundle = (preparation: Preparation) => Promise<PreparedBundle>;

/** Makes the preparation, which runs where it is called: in a worker thread. */
export function createPrepareBundle(
  preparePolicy: (source: PolicySource) => Promise<PreparedPolicy>,
): PrepareBundle {
  return async ({ bytes, limits, hostDataFor }) => {
    const { manifest, wasm, data, outlines, cases } = await readBundle(bytes, limits);
    const hostText = await hostDataFor(manifest.postern);
    const policy = await asPolicyStage(() =>
      preparePolicy({
        wasm,
        data: withHostData(data.text, hostText),
        memoryMaxBytes: limits.memoryMaxBytes,
      }),
    );
    checkReads(manifest.postern.reads, wasm);
    const entrypoints = chooseEntrypoints({
      available: policy.layout.entrypoints,
      declared: manifest.entrypoints,
      wanted: manifest.postern.entrypoint,
      outlines,
    });
    return { revision: manifest.revision, metadata: manifest.postern, entrypoints, cases, policy };
  };
}

/** Turns a refusal of the engine, or anything else that it throws, into one of the bundle. */
export async function asPolicyStage<Result>(step: () => Promise<Result>): Promise<Result> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof BundleRefused) throw error;
    const stage = (error as { stage?: unknown }).stage;
    const prefix = typeof stage === "string" ? `${stage}: ` : "";
    throw new BundleRefused("policy", `${prefix}${(error as Error).message}`, error);
  }
}
