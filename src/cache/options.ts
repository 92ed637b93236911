import { type Static, Type } from "typebox";
import { KiB, MiB } from "../base/sizes.ts";

/** The tier that sidecars share. */
export const redisOptionsSchema = Type.Object(
  {
    url: Type.String({
      description:
        "Server: redis://<user>:<password>@<host>:<port>/<database>, rediss:// for TLS, " +
        "redis+unix://<user>:<password>@/<socket>, " +
        "redis+sentinel://<host>,<host>/<master>/<database>, redis+cluster://<host>,<host>; " +
        "rediss+sentinel:// and rediss+cluster:// for TLS. Redis 6.2 or newer.",
      reason: "There is no default: which server sidecars share is for the operator to say.",
      minLength: 1,
      maxLength: 4_096,
      secret: "url-password",
    }),
    tlsCaFile: Type.Optional(
      Type.String({
        description: "Certificates of the authorities that the server's is checked against, PEM.",
        reason: "Without it, the authorities that Node knows.",
        minLength: 1,
        maxLength: 4_096,
      }),
    ),
    keyPrefix: Type.String({
      description: "Beginning of the name of every key.",
      default: "postern:",
      reason: "Tells an operator whose they are; sidecars share a tier if they share it.",
      pattern: "^[A-Za-z0-9_.:/-]{0,64}$",
    }),
    sealKey: Type.Optional(
      Type.String({
        description:
          "Secret that all sidecars of one tier have, with which they seal what they store.",
        reason: "Without it, whoever can write to Redis can grant; damage is noticed either way.",
        minLength: 16,
        maxLength: 1_024,
        secret: true,
      }),
    ),
    ttlMs: Type.Integer({
      minimum: 0,
      maximum: 3_600_000,
      default: 30_000,
      description: "Milliseconds a set is served after its read began; up to a fifth less.",
      reason: "The larger part of the published staleness bound.",
    }),
    commandTimeoutMs: Type.Integer({
      minimum: 1,
      maximum: 1_000,
      default: 20,
      description:
        "Milliseconds to wait for an answer; then the tier is bypassed until it answers.",
      reason: "Some times a healthy answer, and not more than reading the directory takes.",
    }),
    connectTimeoutMs: Type.Integer({
      minimum: 10,
      maximum: 60_000,
      default: 1_000,
      description: "Milliseconds that connecting may take before it is tried anew.",
      reason: "Longer than a lost packet is sent again after.",
    }),
    valueBytesMax: Type.Integer({
      minimum: KiB,
      maximum: 16 * MiB,
      default: 256 * KiB,
      description: "Bytes of one stored set; larger ones are not stored and not read.",
      reason: "Thousands of patterns, deflated; an answer still comes within the time for it.",
    }),
  },
  {
    additionalProperties: false,
    description: "The Redis that sidecars share sets through; without it, each reads for itself.",
    reason: "One sidecar needs none.",
  },
);

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
    staleForMs: Type.Integer({
      minimum: 0,
      maximum: 3_600_000,
      default: 0,
      description:
        "Milliseconds beyond its time that a remembered set is used while the directory can't be " +
        "read, in answers that say so (`staleness_ms`); 0 = such requests are `UNAVAILABLE`.",
      reason: "It adds to the published staleness bound, which is for the operator to do.",
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
    redis: Type.Optional(redisOptionsSchema),
  },
  { additionalProperties: false },
);

/** Options of the shared tier; see `redisOptionsSchema`. */
export type RedisOptions = Static<typeof redisOptionsSchema>;

/** The options of `cache/`, defaults filled. */
export type CacheOptions = Static<typeof cacheOptionsSchema>;
