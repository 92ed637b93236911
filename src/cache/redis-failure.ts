/** Why Redis gave no answer that can be used. */
export type RedisFailure =
  /** No answer in time. */
  | "timeout"
  /** Not connected, or the connection broke. */
  | "closed"
  /** It has failed to answer a moment ago; not even asked. */
  | "breaker-open"
  /** It reads its data from disk. */
  | "loading"
  /** A replica answered. */
  | "readonly"
  /** Its memory is used up and it may not evict. */
  | "out-of-memory"
  /** The key holds another type. */
  | "wrong-type"
  /** The user may not do this. */
  | "no-permission"
  /** The user or the password is not accepted. */
  | "refused-login"
  /** The cluster can't serve the slot. */
  | "cluster-down"
  /** It runs a script of somebody's that doesn't end. */
  | "busy"
  /** The script is not known there; sent again with its source. */
  | "no-script"
  /** An answer of another form than the command has. */
  | "unexpected-answer"
  | "other-error";

/** An answer, or why there is none. */
export type RedisAnswer<T> =
  | { readonly value: T; readonly failure?: undefined }
  | { readonly failure: RedisFailure };

/** No answer came in time. */
export class RedisTimeout extends Error {}

const BY_CODE: Readonly<Record<string, RedisFailure>> = {
  LOADING: "loading",
  MASTERDOWN: "loading",
  READONLY: "readonly",
  NOREPLICAS: "readonly",
  MISCONF: "readonly",
  OOM: "out-of-memory",
  WRONGTYPE: "wrong-type",
  NOPERM: "no-permission",
  WRONGPASS: "refused-login",
  NOAUTH: "refused-login",
  CLUSTERDOWN: "cluster-down",
  TRYAGAIN: "cluster-down",
  MOVED: "cluster-down",
  ASK: "cluster-down",
  BUSY: "busy",
  NOSCRIPT: "no-script",
};

/** The failure that an error of the client stands for. */
export function redisFailure(error: unknown): RedisFailure {
  const { message, name } = error as Error;
  if (name === "ReplyError") {
    // Redis 7.0 says it so inside scripts.
    if (message.includes("The user executing the script can't")) return "no-permission";
    // Errors inside a script may come wrapped: "ERR … WRONGTYPE Operation …".
    const code = message.match(/\b[A-Z]{3,}\b/g)?.find((word) => Object.hasOwn(BY_CODE, word));
    return code === undefined ? "other-error" : BY_CODE[code]!;
  }
  if (error instanceof RedisTimeout || message === "Command timed out") return "timeout";
  return "closed";
}

/** Whether nobody answered, so that asking again at once would only wait again. */
export function isSilence(failure: RedisFailure): boolean {
  return failure === "timeout" || failure === "closed";
}
