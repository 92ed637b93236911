import { decodeUrlPart, URL_ESCAPE_HINT } from "./url-part.ts";

/** Which Redis, how it is reached, and as whom. */
export interface RedisUrl {
  readonly kind: "standalone" | "unix" | "sentinel" | "cluster";
  readonly isTls: boolean;
  /** The server; the sentinels; the first nodes of the cluster. Empty for a unix socket. */
  readonly hosts: readonly RedisHost[];
  /** The unix socket; empty for the other kinds. */
  readonly socketPath: string;
  /** What the sentinels call the master; empty for the other kinds. */
  readonly masterName: string;
  readonly database: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** Where one server listens. */
export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

const SHAPE = /^(rediss?)(?:\+(unix|sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]*)(\/[^?#]*)?$/;
const PORTS = { standalone: 6_379, unix: 0, sentinel: 26_379, cluster: 6_379 };
const DATABASE_MAX = 1_023;
const EXAMPLES =
  "expected redis://<user>:<password>@<host>:<port>/<database>, rediss:// for TLS, " +
  "redis+unix://<user>:<password>@/<socket>, redis+sentinel://<host>,<host>/<master>/<database> " +
  "or redis+cluster://<host>,<host>";

/** Reads a Redis URL; throws an `Error` that says what is wrong, without the password. */
export function parseRedisUrl(text: string): RedisUrl {
  const parts = SHAPE.exec(text);
  if (parts === null) {
    throw new Error(`is no Redis URL; ${EXAMPLES}; ${URL_ESCAPE_HINT}`);
  }
  const [, scheme, form = "standalone", login = "", where = "", path = ""] = parts;
  const kind = form as RedisUrl["kind"];
  const isTls = scheme === "rediss";
  if (kind === "unix" && isTls)
    throw new Error("has TLS for a unix socket; expected redis+unix://");
  if (kind === "unix" && where !== "")
    throw new Error("has a host; expected redis+unix:///<socket>");
  return {
    kind,
    isTls,
    hosts: kind === "unix" ? [] : where.split(",").map((host) => readHost(host, PORTS[kind])),
    ...readPath(kind, decodeUrlPart(path, "path")),
    ...readLogin(login),
  };
}

function readHost(text: string, port: number): RedisHost {
  const [, bracketed, name = "", digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]*))(?::(\d+))?$/.exec(
    text,
  ) ?? [undefined, undefined, ""];
  const host = bracketed ?? name;
  if (host === "") throw new Error(`has an empty or unreadable host; ${EXAMPLES}`);
  const given = digits === undefined ? port : Number(digits);
  if (given < 1 || given > 65_535) throw new Error(`has port ${given}; expected 1 to 65535`);
  return { host, port: given };
}

function readPath(kind: RedisUrl["kind"], path: string) {
  const none = { socketPath: "", masterName: "", database: 0 };
  const steps = path.split("/").slice(1);
  switch (kind) {
    case "unix":
      if (path.length < 2) throw new Error("has no socket; expected redis+unix:///<socket>");
      return { ...none, socketPath: path };
    case "sentinel": {
      const [masterName = "", database, ...rest] = steps;
      if (masterName === "" || rest.length > 0) {
        throw new Error("has no master; expected redis+sentinel://<host>,<host>/<master>");
      }
      return { ...none, masterName, database: readDatabase(database) };
    }
    case "cluster":
      if (path.length > 1) throw new Error("has a database; expected none, a cluster has only one");
      return none;
    case "standalone": {
      const [database, ...rest] = steps;
      if (rest.length > 0) throw new Error(`has a path; ${EXAMPLES}`);
      return { ...none, database: readDatabase(database) };
    }
  }
}

function readDatabase(text = ""): number {
  if (!/^\d{0,4}$/.test(text) || Number(text) > DATABASE_MAX) {
    throw new Error(`has database ${JSON.stringify(text)}; expected 0 to ${DATABASE_MAX}`);
  }
  return Number(text);
}

function readLogin(login: string): Pick<RedisUrl, "user" | "password"> {
  if (login === "") return { user: undefined, password: undefined };
  const colon = login.indexOf(":");
  if (colon < 0) throw new Error("has a user and no password; expected <user>:<password>@");
  const user = decodeUrlPart(login.slice(0, colon), "user");
  const password = decodeUrlPart(login.slice(colon + 1), "password");
  if (password === "") throw new Error("has an empty password; expected <user>:<password>@");
  return { user: user === "" ? undefined : user, password };
}
