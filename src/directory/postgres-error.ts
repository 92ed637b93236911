import { optionName } from "../base/option-name.ts";
import { maskUrlPassword } from "../base/url-password.ts";
import { PdpError } from "../decision/error.ts";

/** What PostgreSQL, the driver or the platform said; codes are SQLSTATEs or Node's. */
interface Failure {
  readonly code?: string;
  readonly message?: string;
}

/** By SQLSTATE (PostgreSQL, appendix A): what callers may know, because it reveals nothing. */
const TELLING: Readonly<Record<string, string>> = {
  "25006": "the database is read-only",
  "53100": "its disk is full",
  "53300": "it has too many connections",
  "55P03": "another process's change is under way",
  "57014": "a statement took too long",
  "57P01": "it is shutting down",
  "57P02": "it has crashed",
  "57P03": "it is starting up",
};

/** The database does not do what it is asked; callers learn why as far as it reveals nothing. */
export class PostgresError extends PdpError {
  /** The connection is of no use any more. */
  readonly isConnectionLost: boolean;

  constructor(cause: unknown) {
    const { code = "" } = cause as Failure;
    const isConnectionLost = !isSqlState(code) || code.startsWith("08") || code.startsWith("57P");
    const why = TELLING[code] ?? (isConnectionLost ? "the connection failed" : undefined);
    const shown = why === undefined ? "" : ` (${why})`;
    super("unavailable", `the directory can't be read or written${shown}`, { cause });
    this.isConnectionLost = isConnectionLost;
  }
}

/** The connection went while it committed. */
export class UncertainCommit extends PdpError {
  constructor(cause: unknown) {
    const message =
      "the directory's connection was lost at the commit: the change may have been made or not; " +
      "apply it again to be sure";
    super("unavailable", message, { cause });
  }
}

/** Why the database can't be used at all, with what an operator can do about it. */
export function cannotUse(database: string, failure: PdpError): PdpError {
  const why =
    failure instanceof PostgresError ? explain(failure.cause as Failure) : failure.message;
  const option = optionName("directory.database");
  const message = `The directory ${maskUrlPassword(database)} can't be used: ${why}. See ${option}.`;
  return new PdpError("unavailable", message, { cause: failure, field: "directory.database" });
}

function explain(failure: Failure): string {
  const { code = "", message = "unknown error" } = failure;
  const hint = HINTS[code] ?? hintOf(message);
  return hint === undefined ? message : `${message}: ${hint}`;
}

const HINTS: Readonly<Record<string, string>> = {
  ENOTFOUND: "nobody knows a host of that name",
  EAI_AGAIN: "the host's name could not be looked up",
  ECONNREFUSED: "nothing listens at that host and port",
  ENOENT: "there is no such socket, or no such file",
  EACCES: "this user may not use that socket or file",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no way to that host",
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for another host",
  SELF_SIGNED_CERT_IN_CHAIN: "name the CA's certificate in sslrootcert",
  DEPTH_ZERO_SELF_SIGNED_CERT: "name the server's certificate in sslrootcert",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "name the CA's certificate in sslrootcert",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "name the CA's certificate in sslrootcert",
  "28P01": "the password is wrong, or there is no such user",
  "28000": "the server's pg_hba.conf does not let this user in this way",
  "3D000": "make it with: create database … encoding 'UTF8'",
  "42501": "let the user make a schema in the database, or use the one called postern",
};

/** Where the driver has no code. */
function hintOf(message: string): string | undefined {
  if (/does not support SSL/.test(message)) return "with sslmode=disable all goes in plain text";
  if (/timeout/.test(message)) return "no answer within directory.postgres.connect_timeout_ms";
  if (/client password must be a string/i.test(message)) return "the server asks for a password";
  return undefined;
}

/** Five capitals and digits; Node's codes are longer, or begin with an E and have no digit. */
function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && code !== "EPIPE" && code !== "EPERM";
}
