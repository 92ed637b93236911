import { Type } from "typebox";
import { KiB, MiB } from "../base/sizes.ts";

/** How policies are held in memory. */
export const engineOptionsSchema = Type.Object(
  {
    keptBytesMax: Type.Integer({
      description: "Wasm memory that parsed permission sets may take, per application, in bytes.",
      default: 32 * MiB,
      minimum: 0,
      maximum: 1024 * MiB,
      reason: "14,000 sets of 10 permissions or 2,200 of 100; past it all are parsed anew.",
    }),
    loadChunkBytes: Type.Integer({
      description: "Bytes of a policy's memory copied between two turns of the event loop.",
      default: 512 * KiB,
      minimum: 64 * KiB,
      maximum: 64 * MiB,
      reason: "Takes 1 to 2 ms, most of it finding fresh pages; 64 MiB are loaded within 0.1 s.",
    }),
  },
  { additionalProperties: false, description: "How policies are held in memory." },
);
