import { suggestion } from "./nearest.ts";
import { decodeUrlPart, URL_ESCAPE_HINT } from "./url-part.ts";

/** Where the directory is kept. */
export type DatabaseUrl =
  | { readonly kind: "sqlite"; readonly file: string }
  | ({ readonly kind: "postgres" } & PostgresTarget);

/** Which database of which PostgreSQL server, and as whom. */
export interface PostgresTarget {
  /** A name, an address, or the folder of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `undefined`: the server asks for none, or libpq's own places (`PGPASSWORD`) have it. */
  readonly password: string | undefined;
  readonly database: string;
  readonly tls: PostgresTls;
}

/** How the connection is secured; in libpq's words, files as paths. */
export interface PostgresTls {
  readonly mode: (typeof TLS_MODES)[number];
  readonly rootCertFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/** `allow` and `prefer` go on in plain text when somebody on the way says so: they are no choice. */
const TLS_MODES = ["disable", "require", "verify-ca", "verify-full"] as const;
const PARAMETERS = ["host", "sslmode", "sslrootcert", "sslcert", "sslkey"];
const POSTGRES = /^postgres(ql)?:\/\//;
const SQLITE = "sqlite:";
const PORT = 5_432;
const NO_HOST = "no-host.invalid";
const EXAMPLES = "expected sqlite:<file> or postgres://<user>:<password>@<host>:<port>/<database>";

/** Reads a database URL; throws an `Error` that says what is wrong, without the password. */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  if (text.startsWith(SQLITE)) return { kind: "sqlite", file: sqliteFile(text) };
  if (!POSTGRES.test(text)) throw new Error(`is no database URL; ${EXAMPLES}`);
  // libpq's way to name a socket's folder, postgres://user@/database?host=/folder, is no URL.
  const url = URL.parse(text.replace(/^(\w+:\/\/[^/?#]*@)\//, `$1${NO_HOST}/`));
  if (url === null || url.hash !== "") {
    throw new Error(`is not well-formed; ${EXAMPLES}; ${URL_ESCAPE_HINT}`);
  }
  const parameters = readParameters(url.searchParams);
  const named = decodeUrlPart(url.hostname, "host").replace(/^\[(.*)\]$/, "$1");
  const host = parameters.get("host") ?? named;
  if (host === "" || host === NO_HOST) {
    throw new Error("has no host; expected a name, an address, or ?host=/folder/of/the/socket");
  }
  if (host.includes(",")) throw new Error("has several hosts; expected one");
  const database = decodeUrlPart(url.pathname.slice(1), "database");
  if (database === "" || database.includes("/")) {
    throw new Error("has no database; expected its name after the host: …/postern");
  }
  const user = decodeUrlPart(url.username, "user");
  if (user === "") throw new Error("has no user; expected postgres://<user>@…");
  return {
    kind: "postgres",
    host,
    port: url.port === "" ? PORT : Number(url.port),
    user,
    password: url.password === "" ? undefined : decodeUrlPart(url.password, "password"),
    database,
    tls: tlsOf(parameters, host),
  };
}

function sqliteFile(text: string): string {
  const file = text.slice(SQLITE.length);
  if (file === "" || file.includes("\0") || file.startsWith("//")) {
    throw new Error("has no file; expected sqlite:<file>, e.g. sqlite:state/directory.db");
  }
  return file;
}

function readParameters(given: URLSearchParams): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of given) {
    if (!PARAMETERS.includes(name)) {
      const hint = suggestion(name, PARAMETERS) || `; expected one of ${PARAMETERS.join(", ")}`;
      throw new Error(`has an unknown parameter ${JSON.stringify(name)}${hint}`);
    }
    if (parameters.has(name)) throw new Error(`has ${name} twice`);
    parameters.set(name, value);
  }
  return parameters;
}

function tlsOf(parameters: ReadonlyMap<string, string>, host: string): PostgresTls {
  const given = parameters.get("sslmode") ?? (isThisMachine(host) ? "disable" : "verify-full");
  const mode = TLS_MODES.find((candidate) => candidate === given);
  if (mode === undefined) {
    const shown = JSON.stringify(given);
    throw new Error(`has sslmode ${shown}; expected one of ${TLS_MODES.join(", ")}`);
  }
  const [certFile, keyFile] = [parameters.get("sslcert"), parameters.get("sslkey")];
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new Error("has one of sslcert and sslkey; expected both or none");
  }
  const rootCertFile = parameters.get("sslrootcert");
  if (mode === "disable" && (rootCertFile ?? certFile) !== undefined) {
    throw new Error("has certificates for a connection without TLS; expected another sslmode");
  }
  return { mode, rootCertFile, certFile, keyFile };
}

function isThisMachine(host: string): boolean {
  return host.startsWith("/") || host === "localhost" || host === "::1" || /^127\./.test(host);
}
