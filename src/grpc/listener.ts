import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  unlinkSync,
} from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { KiB } from "../base/sizes.ts";
import type { ListenAddress } from "./listen-address.ts";

/** `sun_path` of Linux holds 108 bytes with the final NUL (unix(7)). */
const PATH_BYTES_MAX = 107;
/** What `mkdtemp` adds, and the name inside. */
const TEMPORARY_BYTES = "/.postern-XXXXXX/s".length;
const PROBE_TIMEOUT_MS = 1_000;
const BACKLOG = 511;

/** How to listen. */
export interface ListenRequest {
  readonly address: ListenAddress;
  /** Permissions of a unix socket. */
  readonly socketMode: number;
  readonly connectionsMax: number;
  onConnection(socket: Socket): void;
  /** A connection over the limit was closed. */
  onRefused(): void;
}

/** A socket that takes connections. */
export interface Listener {
  /** With the port that was taken where port 0 asked for any; `unix:/path` for a unix socket. */
  readonly address: string;
  /** Takes no further connections and removes the socket file; leaves open connections alone. */
  close(): void;
}

/** Listens; rejects with an `Error` that names the address and what is in the way. */
export async function listen(request: ListenRequest): Promise<Listener> {
  const { address } = request;
  const server = createServer({ noDelay: true, highWaterMark: 64 * KiB }, request.onConnection);
  server.maxConnections = request.connectionsMax;
  server.on("drop", request.onRefused);
  if (address.kind === "unix") return listenOnPath(server, address.path, request.socketMode);
  await bind(server, { host: address.host, port: address.port });
  const bound = server.address() as AddressInfo;
  const host = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;
  return { address: `${host}:${bound.port}`, close: () => server.close() };
}

/**
 * The socket is made inside a folder that nobody else can enter and moved into place with its mode
 * set, so that it is never reachable with other permissions. The move also replaces, in one step,
 * what a crashed process left behind.
 */
async function listenOnPath(server: Server, path: string, mode: number): Promise<Listener> {
  const folder = dirname(path);
  const longest = Math.max(Buffer.byteLength(path), Buffer.byteLength(folder) + TEMPORARY_BYTES);
  if (longest > PATH_BYTES_MAX) {
    throw new Error(
      `The socket path ${path} is too long: ${longest} bytes with what is needed to make it, ` +
        `${PATH_BYTES_MAX} are possible. Choose a shorter path.`,
    );
  }
  mkdirSync(folder, { recursive: true });
  await refuseIfTaken(path);
  const temporary = mkdtempSync(join(folder, ".postern-"));
  try {
    const bound = join(temporary, "s");
    await bind(server, { path: bound });
    chmodSync(bound, mode);
    renameSync(bound, path);
  } catch (error) {
    server.close();
    throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  const own = lstatSync(path, { bigint: true });
  const close = (): void => {
    server.close();
    // Another process may have taken the path since.
    const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (found?.ino === own.ino && found.dev === own.dev) unlinkSync(path);
  };
  return { address: `unix:${path}`, close };
}

async function refuseIfTaken(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket. Remove it.`);
  if (await answers(path)) {
    throw new Error(`Another server is listening on ${path}. Stop it, or configure another path.`);
  }
}

/** A socket whose process is gone refuses connections; one that hangs still counts as taken. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path, timeout: PROBE_TIMEOUT_MS });
    const settle = (taken: boolean): void => {
      probe.destroy();
      resolve(taken);
    };
    probe.on("connect", () => settle(true));
    probe.on("timeout", () => settle(true));
    probe.on("error", (error: NodeJS.ErrnoException) => {
      settle(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
  });
}

function bind(server: Server, target: { path: string } | { host: string; port: number }) {
  return new Promise<void>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => {
      const where = "path" in target ? target.path : `${target.host}:${target.port}`;
      const why = error.code === "EADDRINUSE" ? "another process listens there" : error.message;
      reject(new Error(`Can't listen on ${where}: ${why}`, { cause: error }));
    };
    server.once("error", refuse);
    server.listen({ ...target, backlog: BACKLOG }, () => {
      server.off("error", refuse);
      resolve();
    });
  });
}
