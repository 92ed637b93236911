import { createHash } from "node:crypto";
import type { SetKey } from "./cache.ts";
import { encodeKey } from "./key.ts";
import type { Seal } from "./seal.ts";
import { SCHEMA } from "./set-codec.ts";

/** Whose keys they are. Who differs in any of it sees nothing of what the other stores. */
export interface RedisWorld {
  readonly keyPrefix: string;
  /** Which directory the sets are of: two of them may know the same subjects. */
  readonly directoryId: string;
  /** The seals that are accepted: with another key, everything there would look damaged. */
  readonly seal: Seal;
}

/**
 * Names of the keys. What stands in braces decides a cluster's slot: head and stream share one, and
 * so do all keys of a subject.
 *
 * | Name | |
 * | --- | --- |
 * | `<prefix>1:<world>:{changes}:head` | hash: incarnation, generation, all, purge, seal |
 * | `<prefix>1:<world>:{changes}:stream` | an entry for each published change |
 * | `<prefix>1:<incarnation>:{<digest>}:s:<application, subject>` | a permission set |
 * | `<prefix>1:<incarnation>:{<digest>}:f:<subject>` | generation of the newest change of it |
 */
export interface RedisKeys {
  readonly head: string;
  readonly stream: string;
  set(incarnation: string, key: SetKey): string;
  floor(incarnation: string, subjectId: string): string;
}

/** The names in this world; its prefix has no braces. */
export function createRedisKeys({ keyPrefix, directoryId, seal }: RedisWorld): RedisKeys {
  const base = `${keyPrefix}${SCHEMA}:`;
  const changes = `${base}${seal.of("world", directoryId).toString("hex", 0, 8)}:{changes}:`;
  const subject = (incarnation: string, subjectId: string): string =>
    `${base}${incarnation}:{${slotDigest(subjectId)}}:`;
  return {
    head: `${changes}head`,
    stream: `${changes}stream`,
    set: (incarnation, key) => `${subject(incarnation, key.subjectId)}s:${encodeKey(key)}`,
    floor: (incarnation, subjectId) => `${subject(incarnation, subjectId)}f:${subjectId}`,
  };
}

/** Ids may contain braces, so their digest decides; four bytes spread over 16,384 slots. */
function slotDigest(subjectId: string): string {
  return createHash("sha256").update(subjectId).digest("hex").slice(0, 8);
}
