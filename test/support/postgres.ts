import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { freePort } from "./free-port.ts";
import type { TlsFiles } from "./tls-files.ts";

/** A PostgreSQL server of a test's own, in a temporary folder. */
export interface PostgresServer {
  readonly port: number;
  /** URL of a new, empty database. */
  createDatabase(): Promise<string>;
  /** Runs SQL as an administrator, in the database of the URL or the server's own. */
  query(sql: string, url?: string): Promise<readonly Record<string, unknown>[]>;
  /** Ends the server by a signal. SIGKILL goes to all of its processes. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Stops or resumes every process of the server. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Starts it again after it has ended. */
  start(): Promise<void>;
  /** Ends it and removes its folder. */
  dispose(): Promise<void>;
}

const run = promisify(execFile);
const ADMINISTRATOR = "postgres";
/** Who is given the databases: no administrator, and asked for a password. */
const OWNER = { user: "owner", password: "an owner's secret" } as const;
const RESTART_MAX_MS = 10_000;
const INSTALL = "The tests need PostgreSQL: install the Debian package postgresql.";

/**
 * Starts a server, with TLS where files are given. Throws an error that says how to install one
 * where there is none.
 */
export async function startPostgres(
  settings: readonly string[] = [],
  tls?: TlsFiles,
): Promise<PostgresServer> {
  const programs = findPrograms();
  const folder = await mkdtemp(join(tmpdir(), "postern-postgres-"));
  const data = join(folder, "data");
  const port = await freePort();
  if (process.getuid?.() === 0) await run("chown", ["postgres", folder]);
  await chmod(folder, 0o755);
  await run(
    ...asNobodySpecial(join(programs, "initdb"), [
      ...["--pgdata", data, "--username", ADMINISTRATOR, "--encoding", "UTF8", "--no-sync"],
      // A locale whose order of letters is not that of their bytes, as servers have it.
      ...["--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en"],
      ...["--auth-local", "trust", "--auth-host", "scram-sha-256"],
    ]),
  );
  const options = [`port=${port}`, `unix_socket_directories=${folder}`, ...settings];
  if (tls !== undefined) options.push(...(await tlsSettings(tls)));
  const args = ["-D", data, ...options.flatMap((option) => ["-c", option])];
  let server: ChildProcess;
  const start = async (): Promise<void> => {
    const untilMs = performance.now() + RESTART_MAX_MS;
    for (;;) {
      server = spawn(...asNobodySpecial(join(programs, "postgres"), args), { stdio: "pipe" });
      const failure = await ready(server).then(
        () => undefined,
        (error: Error) => error,
      );
      if (failure === undefined) return;
      // What it made before it was killed goes a moment after it.
      const isLeftBehind = failure.message.includes("is still in use");
      if (!isLeftBehind || performance.now() > untilMs) throw failure;
      await setTimeout(100);
    }
  };
  const query: PostgresServer["query"] = async (sql, url) => {
    const database = url === undefined ? "postgres" : new URL(url).pathname.slice(1);
    const client = new pg.Client({ host: folder, port, user: ADMINISTRATOR, database });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    // Its processes would finish what they are at, and are to be gone as by a loss of power.
    if (signal === "SIGKILL") await signalAll(server.pid!, signal);
    else server.kill(signal);
    await ended;
  };
  await start();
  await query(`create role ${OWNER.user} login password '${OWNER.password.replace("'", "''")}'`);
  let databases = 0;
  return {
    port,
    query,
    kill,
    start,
    pause: () => signalAll(server.pid!, "SIGSTOP"),
    resume: () => signalAll(server.pid!, "SIGCONT"),
    async createDatabase() {
      const name = `d${databases++}`;
      await query(`create database ${name} owner ${OWNER.user}`);
      const { user, password } = OWNER;
      return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${name}`;
    },
    async dispose() {
      // Nothing of it is kept: no need for a checkpoint.
      await kill("SIGQUIT");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The server reads no key that others may read, too. */
async function tlsSettings({ certificate, key }: TlsFiles): Promise<readonly string[]> {
  await chmod(key, 0o600);
  if (process.getuid?.() === 0) await run("chown", ["postgres", key]);
  return ["ssl=on", `ssl_cert_file=${certificate}`, `ssl_key_file=${key}`];
}

function findPrograms(): string {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort().reverse() : [];
  const folders = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    ...versions.map((version) => join(debian, version, "bin")),
  ];
  const found = folders.find((folder) => existsSync(join(folder, "initdb")));
  if (found === undefined) throw new Error(INSTALL);
  return found;
}

/** The server refuses to run as root. */
function asNobodySpecial(program: string, args: readonly string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [program, [...args]];
  // In the group of the caller's own child, not behind another process: signals reach the server.
  return ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", program, ...args]];
}

function ready(server: ChildProcess): Promise<void> {
  let log = "";
  return new Promise((resolve, reject) => {
    server.once("exit", () => reject(new Error(`PostgreSQL ended at start:\n${log}`)));
    server.stderr!.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes("database system is ready to accept connections")) resolve();
    });
  });
}

/** The server and the processes that it has made; one of those may end by itself meanwhile. */
async function signalAll(pid: number, signal: NodeJS.Signals): Promise<void> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  process.kill(pid, signal);
  for (const child of children.match(/\d+/g)?.map(Number) ?? []) {
    try {
      process.kill(child, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
