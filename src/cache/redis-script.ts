import { createHash } from "node:crypto";

/** A Lua script, run whole and alone by the server. */
export interface RedisScript {
  readonly source: string;
  /** By which the server knows it again. */
  readonly sha: string;
}

/** Makes a script of its source. */
export function redisScript(source: string): RedisScript {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}
