import { describe, expect, it } from "vitest";
import { type DatabaseUrl, parseDatabaseUrl } from "./database-url.ts";

function refusal(text: string): string {
  try {
    parseDatabaseUrl(text);
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing refused";
}

const noFiles = { rootCertFile: undefined, certFile: undefined, keyFile: undefined };

describe("parseDatabaseUrl()", () => {
  it.each([
    ["nothing", "", "is no database URL"],
    ["a path alone", "state/directory.db", "expected sqlite:<file> or postgres://"],
    ["another database", "mysql://u:secret@h/d", "is no database URL"],
    ["SQLite without a file", "sqlite:", "has no file"],
    ["SQLite with a host", "sqlite://h/f", "has no file"],
    ["a password that is not escaped", "postgres://u:sec/ret@h/d", "write each of : / ? # @ %"],
    ["a lone %", "postgres://u:secret%@h/d", "has a % in its password"],
    ["a zero byte", "postgres://u:secret%00@h/d", "has a zero byte in its password"],
    ["no host", "postgres://u@/d", "has no host"],
    ["no host and no user", "postgres:///d", "has no host"],
    ["two hosts", "postgres://u:secret@a,b/d", "has several hosts"],
    ["no database", "postgres://u:secret@h", "has no database"],
    ["no user", "postgres://h/d", "has no user"],
    ["a port that is none", "postgres://u:secret@h:99999/d", "is not well-formed"],
    ["an unknown parameter", "postgres://u@h/d?sslmod=require", 'did you mean "sslmode"?'],
    ["a password as parameter", "postgres://u@h/d?password=secret", "unknown parameter"],
    ["a parameter twice", "postgres://u@h/d?sslmode=require&sslmode=disable", "sslmode twice"],
    ["TLS that can be talked out of", "postgres://u@h/d?sslmode=prefer", "expected one of disable"],
    ["half a certificate", "postgres://u@h/d?sslcert=c.pem", "expected both or none"],
    ["a CA without TLS", "postgres://u@h/d?sslmode=disable&sslrootcert=c", "without TLS"],
  ])("refuses %s, without showing the password", (_, text, message) => {
    expect(refusal(text)).toContain(message);
    expect(refusal(text)).not.toContain("secret");
  });

  it.each<[string, Partial<DatabaseUrl>]>([
    ["sqlite:state/directory.db", { kind: "sqlite", file: "state/directory.db" }],
    ["sqlite:/var/lib/postern/directory.db", { file: "/var/lib/postern/directory.db" }],
    [
      "postgres://postern:a%40b@db.example:6543/rights",
      {
        kind: "postgres",
        host: "db.example",
        port: 6_543,
        user: "postern",
        password: "a@b",
        database: "rights",
        tls: { mode: "verify-full", ...noFiles },
      },
    ],
    ["postgresql://u@127.0.0.1/d", { port: 5_432, tls: { mode: "disable", ...noFiles } }],
    ["postgres://u@[::1]/d", { host: "::1", tls: { mode: "disable", ...noFiles } }],
    ["postgres://u@%2Frun%2Fpg/d", { host: "/run/pg", tls: { mode: "disable", ...noFiles } }],
    ["postgres://u@/d?host=/run/pg", { user: "u", host: "/run/pg", database: "d" }],
    [
      "postgres://u@h/d?sslmode=verify-ca&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem",
      {
        tls: {
          mode: "verify-ca",
          rootCertFile: "/ca.pem",
          certFile: "/c.pem",
          keyFile: "/k.pem",
        },
      },
    ],
  ])("reads %s", (text, expected) => {
    expect(parseDatabaseUrl(text)).toMatchObject(expected);
  });
});
