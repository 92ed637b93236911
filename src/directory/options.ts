import { type Static, Type } from "typebox";
import { MiB } from "../base/sizes.ts";

/** How a directory on PostgreSQL is connected to; of no effect on SQLite. */
const postgresOptionsSchema = Type.Object(
  {
    connections: Type.Integer({
      description: "Connections for reading, for each process; one more is for writing.",
      default: 8,
      reason: "More give no more resolves a second; a hundred sidecars take 800 of the server's.",
      minimum: 1,
      maximum: 1_000,
    }),
    connectTimeoutMs: Type.Integer({
      description: "How long connecting, or waiting for a connection, may take, in milliseconds.",
      default: 2_000,
      reason: "Longer than a lost packet is sent again after; who asks waits no longer.",
      minimum: 1,
      maximum: 600_000,
    }),
    statementTimeoutMs: Type.Integer({
      description: "How long one statement may take before it is given up, in milliseconds.",
      default: 5_000,
      reason: "A hundred times what the slowest takes with 100,000 subjects.",
      minimum: 1,
      maximum: 600_000,
    }),
  },
  { additionalProperties: false },
);

/** Where the directory is kept and how far it may grow. */
export const directoryOptionsSchema = Type.Object(
  {
    database: Type.String({
      description:
        "Database: sqlite:<file>, whose folder is made if it is missing, or " +
        "postgres://<user>:<password>@<host>:<port>/<database>, which several sidecars share; " +
        "sslmode (disable, require, verify-ca, verify-full), sslrootcert, sslcert and sslkey as " +
        "parameters, verify-full unless the host is this machine.",
      default: "sqlite:state/directory.db",
      reason: "Beside the other state of a checkout, ignored by git, and no server is needed.",
      minLength: 1,
      secret: "url-password",
    }),
    startWithout: Type.Boolean({
      description:
        "Start although the database can't be used: that is reported, and tried again until it " +
        "can be. Until then nobody is known, and everything is denied.",
      default: false,
      reason: "A mistake in the configuration is seen at once.",
    }),
    postgres: postgresOptionsSchema,
    cataloguesFolder: Type.String({
      description: "Folder of catalogue files, one `<application>.yaml` each.",
      default: "catalogues",
      reason: "Where the shipped catalogues are.",
      minLength: 1,
    }),
    examples: Type.Array(Type.String({ minLength: 1 }), {
      description:
        "Directory files applied at start if the directory has no subjects; named as examples.",
      default: [],
      reason: "Nobody gets a subject without asking for it.",
      maxItems: 100,
    }),
    pollIntervalMs: Type.Integer({
      description: "How often changes made by other processes are looked for, in milliseconds.",
      default: 200,
      reason: "A fifth of the 1 s in which a revocation must hold; costs one indexed read each.",
      minimum: 10,
      maximum: 60_000,
    }),
    busyTimeoutMs: Type.Integer({
      description: "How long a write waits for another process's write, in milliseconds.",
      default: 5_000,
      reason: "A file with 100,000 subjects is written in less.",
      minimum: 0,
      maximum: 600_000,
    }),
    waitingReadsMax: Type.Integer({
      description: "Reads that may wait for a connection; more are refused.",
      default: 10_000,
      reason: "Some seconds of work; who waits longer has given up.",
      minimum: 1,
      maximum: 1_000_000,
    }),
    fileBytesMax: Type.Integer({
      description: "Largest directory or catalogue file, in bytes.",
      default: 64 * MiB,
      reason: "Some 500,000 subjects; parsing them takes two minutes (0.6 MB/s).",
      minimum: 1,
      maximum: 1024 * MiB,
    }),
    rolesMax: Type.Integer({
      description: "Roles, and group mappings, that one application may have.",
      default: 10_000,
      reason: "They are kept in memory, about 1 KiB each.",
      minimum: 1,
      maximum: 1_000_000,
    }),
    grantsMax: Type.Integer({
      description: "Grants (paths from a source to a role) that one permission set may have.",
      default: 10_000,
      reason: "Bounds what a pathological role graph can cost; real sets have tens.",
      minimum: 1,
      maximum: 1_000_000,
    }),
  },
  { additionalProperties: false },
);

/** Options of the directory; see `directoryOptionsSchema`. */
export type DirectoryOptions = Static<typeof directoryOptionsSchema>;

/** Options of a directory on PostgreSQL; see `postgresOptionsSchema`. */
export type PostgresOptions = Static<typeof postgresOptionsSchema>;
