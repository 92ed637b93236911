import { type Static, Type } from "typebox";
import { MiB } from "../base/sizes.ts";

/** How many permission sets are remembered, for how long, and how hard the directory is read. */
export const cacheOptionsSchema = Type.Object(
  {
    entriesMax: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 20_000,
      description: "Permission sets remembered at most; the oldest that is not in use goes first.",
      reason: "Twice the subjects that a busy sidecar meets within a time to live.",
    }),
    bytesMax: Type.Integer({
      minimum: MiB,
      maximum: 65_536 * MiB,
      default: 48 * MiB,
      description: "Heap bytes that remembered sets may take, estimated.",
      reason: "20,000 sets of ordinary size; sets with many patterns evict earlier.",
    }),
    ttlMs: Type.Integer({
      minimum: 0,
      maximum: 300_000,
      default: 5_000,
      description:
        "Milliseconds a set is served after the last look at the directory's changes; " +
        "up to a fifth less.",
      reason: "The published staleness bound while the directory can't be looked at.",
    }),
    negativeTtlMs: Type.Integer({
      minimum: 0,
      maximum: 2_000,
      default: 2_000,
      description: "The same for a subject the directory does not know, after it was read.",
      reason: "A person who was just created should not wait; a flood of unknown ids should.",
    }),
    fillsMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 32,
      description: "Reads of the directory in flight at once; further ones queue.",
      reason: "Keeps the reader busy without a backlog that nobody waits for any more.",
    }),
    waitersMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
      description: "Requests waiting for a set at once; more are refused as resource-exhausted.",
      reason: "Ten batches of a thousand different subjects.",
    }),
    fillTimeoutMs: Type.Integer({
      minimum: 1,
      maximum: 60_000,
      default: 2_000,
      description: "Milliseconds that a read may take, its time in the queue included.",
      reason: "Far above a healthy read, below what a caller usually waits.",
    }),
  },
  { additionalProperties: false },
);

/** The options of `cache/`, defaults filled. */
export type CacheOptions = Static<typeof cacheOptionsSchema>;
