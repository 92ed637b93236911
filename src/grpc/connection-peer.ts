import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Peer } from "../base/unary-handler.ts";
import { namesOfPeer } from "./tls/certificate-names.ts";

const unixPeer: Peer = { kind: "unix", certificateNames: [] };
const loopbackPeer: Peer = { kind: "loopback", certificateNames: [] };
const networkPeer: Peer = { kind: "network", certificateNames: [] };

/** Who is at the other end of a unix socket that is a file: somebody whom its permissions let in. */
export function unixPeerOf(): Peer {
  return unixPeer;
}

/**
 * Who is at the other end of an abstract socket: it has no permissions, so that any process of the
 * network namespace can connect, as to a loopback address.
 */
export function abstractPeerOf(): Peer {
  return loopbackPeer;
}

/** An address that can't be told, since the connection is gone already, is trusted least. */
export function tcpPeerOf({ remoteAddress = "" }: Pick<Socket, "remoteAddress">): Peer {
  const isLoopback =
    remoteAddress.startsWith("127.") ||
    remoteAddress === "::1" ||
    remoteAddress.startsWith("::ffff:127.");
  return isLoopback ? loopbackPeer : networkPeer;
}

/** The same with the names of the peer's certificate. */
export function tlsPeerOf(socket: TLSSocket): Peer {
  return { kind: tcpPeerOf(socket).kind, certificateNames: namesOfPeer(socket) ?? [] };
}
