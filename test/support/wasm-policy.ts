import { MiB } from "../../src/base/sizes.ts";
import { loadPolicy } from "../../src/engine/load-policy.ts";
import type {
  EvaluationResult,
  InputDocument,
  KeptDocument,
  Policy,
} from "../../src/engine/policy.ts";
import { preparePolicy } from "../../src/engine/prepare-policy.ts";
import { buildWasm, type PolicyFiles } from "./opa.ts";

/** What a policy for a test is made of; the rest has generous values. */
export interface TestPolicy {
  readonly files: PolicyFiles;
  readonly entrypoints: readonly string[];
  readonly data?: string;
  readonly memoryMaxBytes?: number;
  readonly keptBytesMax?: number;
  readonly stepsMax?: number;
}

/** Builds with `opa`, prepares and loads, all in this thread. */
export async function loadTestPolicy(test: TestPolicy): Promise<Policy> {
  const built = buildWasm(test.files, test.entrypoints);
  const prepared = await preparePolicy({
    wasm: built.wasm,
    data: test.data ?? built.data,
    memoryMaxBytes: test.memoryMaxBytes ?? 64 * MiB,
  });
  return await loadPolicy(prepared, {
    yieldToLoop: async () => {},
    chunkBytes: MiB,
    keptBytesMax: test.keptBytesMax ?? 16 * MiB,
    stepsMax: test.stepsMax ?? 10_000_000,
  });
}

/** Evaluates an entrypoint by its path, at time 0 and without a kept document unless given. */
export function evaluate(
  policy: Policy,
  entrypoint: string,
  { input = {}, kept }: { input?: InputDocument | string; kept?: KeptDocument } = {},
): EvaluationResult {
  const number = policy.entrypoints.get(entrypoint);
  if (number === undefined) throw new Error(`no entrypoint ${entrypoint}`);
  return policy.evaluate({ entrypoint: number, input, kept, nowNs: 0n });
}
