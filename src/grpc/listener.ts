import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { ListenAddress } from "../base/listen-address.ts";
import { listenFailure } from "../base/listen-failure.ts";
import { optionName } from "../base/option-name.ts";
import { KiB } from "../base/sizes.ts";
import { listenOnUnixSocket } from "../base/unix-socket.ts";

const BACKLOG = 511;
const OPTION = "grpc.listen";

/** How to listen. */
export interface ListenRequest {
  readonly address: ListenAddress;
  /** Permissions of a unix socket. */
  readonly socketMode: number;
  readonly connectionsMax: number;
  onConnection(socket: Socket): void;
  /** A connection over the limit was closed. */
  onRefused(): void;
  /** A connection could not be taken, for example for want of file handles. */
  onFailed(error: Error): void;
}

/** A socket that takes connections. */
export interface Listener {
  /** As configured, with the port that was taken where port 0 asked for any. */
  readonly address: string;
  /** Takes no further connections and removes the socket file; leaves open connections alone. */
  close(): void;
}

/** Listens; rejects with an `Error` that names the address and what is in the way. */
export async function listen(request: ListenRequest): Promise<Listener> {
  const { address, onFailed } = request;
  const server = createServer({ noDelay: true, highWaterMark: 64 * KiB }, request.onConnection);
  server.maxConnections = request.connectionsMax;
  server.on("drop", request.onRefused);
  // An error that nobody listens for would end the process.
  server.on("error", (error) => {
    if (server.listening) onFailed(error);
  });
  if (address.kind === "unix") return listenOnPath(server, address.path, request.socketMode);
  if (address.kind === "abstract") return listenOnName(server, address.name);
  const { host: wanted, port, isTls } = address;
  const scheme = isTls ? "tls://" : "";
  await bind(server, { host: wanted, port }).catch((error: Error) => {
    throw listenFailure({ where: scheme + addressText(wanted, port), option: OPTION, error });
  });
  const bound = server.address() as AddressInfo;
  return { address: scheme + addressText(bound.address, bound.port), close: () => server.close() };
}

async function listenOnName(server: Server, name: string): Promise<Listener> {
  const address = `unix-abstract:${name}`;
  if (process.platform !== "linux") {
    throw new Error(
      `Can't listen on ${address}: only Linux has abstract sockets. Change ${optionName(OPTION)}.`,
    );
  }
  await bind(server, { path: `\0${name}` }).catch((error: Error) => {
    throw listenFailure({ where: address, option: OPTION, error });
  });
  return { address, close: () => server.close() };
}

async function listenOnPath(server: Server, path: string, mode: number): Promise<Listener> {
  const bound = listenOnUnixSocket({
    path,
    mode,
    option: OPTION,
    bind: (place) => bind(server, { path: place }),
  });
  const socket = await bound.catch((error) => {
    server.close();
    throw error;
  });
  return {
    address: `unix:${path}`,
    close: () => {
      server.close();
      socket.remove();
    },
  };
}

function bind(server: Server, target: { path: string } | { host: string; port: number }) {
  return new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...target, backlog: BACKLOG }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function addressText(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
