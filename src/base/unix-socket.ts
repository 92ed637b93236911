import { chmodSync, lstatSync, mkdtempSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { listenFailure } from "./listen-failure.ts";
import { optionName } from "./option-name.ts";

/** `sun_path` of Linux holds 108 bytes with the final NUL (unix(7)). */
const PATH_BYTES_MAX = 107;
/** What `mkdtemp` adds, and the name inside. */
const TEMPORARY_BYTES = "/.postern-XXXXXX/s".length;
const PROBE_TIMEOUT_MS = 1_000;

/** A unix socket that is listened on. */
export interface UnixSocket {
  /** Removes the socket file, unless another process has taken the path since. */
  remove(): void;
}

/** Where a socket is to be, and who says so. */
export interface UnixSocketPlace {
  readonly path: string;
  /** Path of the option that says so, for example `grpc.listen`; messages name it. */
  readonly option: string;
}

/** Where, and who may connect. */
export interface UnixSocketRequest extends UnixSocketPlace {
  /** Permissions, for example 0o600. */
  readonly mode: number;
  /** Listens at the path it is given, which is not yet the final one. */
  bind(path: string): Promise<unknown>;
}

/**
 * Listens on a unix socket that never has other permissions than `mode`: it is made in a folder
 * that nobody else can enter, and moved into place. That also replaces what a crashed process left
 * behind, in one step. Throws if the path is too long, is not a socket, or somebody answers there,
 * and if its folder is missing: who makes a folder decides who can enter it.
 */
export async function listenOnUnixSocket(request: UnixSocketRequest): Promise<UnixSocket> {
  const { path, mode, option, bind } = request;
  const folder = dirname(path);
  const longest = Math.max(Buffer.byteLength(path), Buffer.byteLength(folder) + TEMPORARY_BYTES);
  if (longest > PATH_BYTES_MAX) {
    throw new Error(
      `The socket path ${path} is too long: ${longest} bytes with what is needed to make it, ` +
        `${PATH_BYTES_MAX} are possible. Choose a shorter one in ${optionName(option)}.`,
    );
  }
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) {
    throw new Error(
      `The folder of the socket ${path} is missing. Make it, or choose another path in ` +
        `${optionName(option)}.`,
    );
  }
  await refuseIfTaken(request);
  try {
    await bindAside({ path, mode, bind });
  } catch (error) {
    throw listenFailure({ where: path, option, error: error as Error });
  }
  const own = lstatSync(path, { bigint: true });
  return {
    remove: () => {
      const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (found?.ino === own.ino && found.dev === own.dev) unlinkSync(path);
    },
  };
}

async function bindAside({
  path,
  mode,
  bind,
}: Pick<UnixSocketRequest, "path" | "mode" | "bind">): Promise<void> {
  // Made by mkdtemp with mode 0700.
  const temporary = mkdtempSync(join(dirname(path), ".postern-"));
  const bound = join(temporary, "s");
  try {
    await bind(bound);
    chmodSync(bound, mode);
    renameSync(bound, path);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Throws if the path can't be listened on, because somebody does already or it is no socket. */
export async function refuseIfTaken({ path, option }: UnixSocketPlace): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const otherwise = `or choose another path in ${optionName(option)}.`;
  if (!found.isSocket()) {
    throw new Error(`${path} exists and is not a socket. Remove it, ${otherwise}`);
  }
  if (await answers(path)) {
    throw new Error(`Another server is listening on ${path}. Stop it, ${otherwise}`);
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
