import { randomBytes } from "node:crypto";
import { optionName } from "../base/option-name.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { redisFailure } from "./redis-failure.ts";
import { redisScript } from "./redis-script.ts";
import { SCHEMA } from "./set-codec.ts";

/** Does, with keys of its own, what the tier does later. */
const RIGHTS = redisScript(`
redis.call('TIME')
redis.call('SET', KEYS[1], 'x', 'PX', 1000)
redis.call('GET', KEYS[1])
redis.call('GETRANGE', KEYS[1], 0, 1)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'x', 'x')
redis.call('HMGET', KEYS[1], 'x')
redis.call('DEL', KEYS[1])
redis.call('XADD', KEYS[1], 'MAXLEN', '~', 1, '1-0', 'x', 'x')
redis.call('XRANGE', KEYS[1], '(0-0', '+', 'COUNT', 1)
redis.call('PEXPIRE', KEYS[1], 1000)
redis.call('TYPE', KEYS[1])
redis.call('UNLINK', KEYS[1])
return 'OK'
`);

/** Why the user's rights are not enough; `undefined` where they are, or nobody can say. */
export async function tryRights(
  connection: Pick<RedisConnection, "run">,
  keyPrefix: string,
): Promise<string | undefined> {
  const name = `${keyPrefix}${SCHEMA}:{changes}:try:${randomBytes(8).toString("hex")}`;
  const { failure } = await connection.run(RIGHTS, { keys: [name], args: [] });
  return failure === "no-permission" ? NO_RIGHTS : undefined;
}

const NO_RIGHTS =
  "its user may not do what is needed: ~<key_prefix>* +@read +@write +@scripting +@connection +time";

const TLS_REFUSED =
  /^(ERR_TLS_CERT|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;

/** Why connecting will fail until somebody changes something; `undefined` where it may not. */
export function refusalOf(error: Error): string | undefined {
  if (error.message.startsWith("NOAUTH")) return "it asks for a user and a password";
  const failure = redisFailure(error);
  if (failure === "refused-login") return "it refuses the user or the password";
  if (failure === "no-permission") return NO_RIGHTS;
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined && TLS_REFUSED.test(code)) return `TLS failed: ${error.message}`;
  if (error.message.includes("DB index is out of range")) return "it has no such database";
  return undefined;
}

/** The error of a start that can't succeed as configured. */
export function startRefusal(where: string, why: string): Error {
  return new Error(`Can't use Redis at ${where}: ${why}. Change ${optionName("cache.redis.url")}.`);
}
