import { type Static, Type } from "typebox";
import { KiB, MiB } from "../base/sizes.ts";

/** How policies are held in memory. */
export const engineOptionsSchema = Type.Object(
  {
    keptBytesMax: Type.Integer({
      description: "Wasm memory that parsed permission sets may take, per application, in bytes.",
      default: 32 * MiB,
      minimum: 0,
      maximum: 1024 * MiB,
      reason: "Some 10,000 subjects of ordinary size; past it all are forgotten and parsed anew.",
    }),
    loadChunkBytes: Type.Integer({
      description: "Bytes of a policy's memory copied between two turns of the event loop.",
      default: 2 * MiB,
      minimum: 64 * KiB,
      maximum: 64 * MiB,
      reason: "A chunk takes about a millisecond, which no caller notices.",
    }),
  },
  { additionalProperties: false, description: "How policies are held in memory." },
);

/** Options of `engine/`, defaults filled. */
export type EngineOptions = Static<typeof engineOptionsSchema>;
