import { readFileSync } from "node:fs";
import { optionName } from "../base/option-name.ts";
import { parseRedisUrl, type RedisUrl } from "../base/redis-url.ts";
import type { RedisOptions } from "./options.ts";

/** Which Redis the options mean. */
export interface RedisTarget {
  readonly url: RedisUrl;
  /** Certificates to trust, PEM; `undefined` = those that Node knows. */
  readonly ca: string | undefined;
  /** The server as it may be shown. */
  readonly where: string;
}

/** Reads the options; throws an `Error` that names the one that can't be right. */
export function redisTarget(options: Pick<RedisOptions, "url" | "tlsCaFile">): RedisTarget {
  const url = readUrl(options.url);
  return { url, ca: readCa(options.tlsCaFile), where: describe(url) };
}

function readUrl(text: string): RedisUrl {
  try {
    return parseRedisUrl(text);
  } catch (error) {
    throw new Error(`${optionName("cache.redis.url")} ${(error as Error).message}`);
  }
}

function readCa(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const option = optionName("cache.redis.tls_ca_file");
    throw new Error(`${option} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

function describe({ kind, isTls, hosts, socketPath, masterName }: RedisUrl): string {
  if (kind === "unix") return socketPath;
  const list = hosts.map(({ host, port }) => `${host}:${port}`).join(",");
  const what = kind === "standalone" ? "" : `${kind} ${masterName === "" ? "" : `${masterName} `}`;
  return `${what}${list}${isTls ? " (TLS)" : ""}`;
}
