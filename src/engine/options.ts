import { Type } from "typebox";
import { KiB, MiB } from "../base/sizes.ts";

/** How policies are held in memory, and run. */
export const engineOptionsSchema = Type.Object(
  {
    keptBytesMax: Type.Integer({
      description: "Wasm memory that parsed permission sets may take, per application, in bytes.",
      default: 32 * MiB,
      minimum: 0,
      maximum: 1024 * MiB,
      reason: "14,000 sets of 10 permissions or 2,200 of 100; past it all are parsed anew.",
    }),
    evaluationStepsMax: Type.Integer({
      description:
        "Most steps of an evaluation, past which it is denied with `indeterminate:budget`: turns of loops " +
        "and calls in the policy, and what built-ins of the host take.",
      default: 10_000_000,
      minimum: 100_000,
      maximum: 1_000_000_000,
      reason:
        "Takes 15 to 80 ms, in which nothing else is decided; Envoy's timeout is 200 ms. An evaluation of " +
        "`platform` takes 1,000 steps.",
    }),
    loadChunkBytes: Type.Integer({
      description: "Bytes of a policy's memory copied between two turns of the event loop.",
      default: 512 * KiB,
      minimum: 64 * KiB,
      maximum: 64 * MiB,
      reason: "Takes 1 to 2 ms, most of it finding fresh pages; 64 MiB are loaded within 0.1 s.",
    }),
  },
  { additionalProperties: false, description: "How policies are held in memory, and run." },
);
