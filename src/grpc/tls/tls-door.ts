import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type TlsOptions as NodeTlsOptions, type TLSSocket } from "node:tls";
import type { ConnectionFailure, ConnectionFailures } from "../connection-failures.ts";
import { namesOfPeer } from "./certificate-names.ts";
import type { Credentials } from "./credentials.ts";
import type { TlsOptions } from "./options.ts";
import type { ReloadedCredentials } from "./reloaded-credentials.ts";

/** What stands before a transport, and lets through who has shown what is asked for. */
export interface TlsDoor {
  take(socket: Socket): void;
  /** Ends the handshakes in progress. */
  close(): void;
}

/** What a door is made of. */
export interface TlsDoorDeps {
  readonly options: TlsOptions;
  readonly credentials: ReloadedCredentials;
  readonly failures: ConnectionFailures;
  /** Takes a connection whose handshake is done and whose peer, if asked to, has a certificate. */
  readonly take: (socket: TLSSocket) => void;
}

/** What RFC 9113 §9.2 lets HTTP/2 use: with TLS 1.2 ephemeral keys and authenticated encryption only. */
const CIPHERS = [
  ...["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
  ...["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
  ...["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
  ...["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"],
].join(":");

/** Makes a door whose handshakes use the credentials of the moment. */
export function createTlsDoor({ options, credentials, failures, take }: TlsDoorDeps): TlsDoor {
  // In the order in which they began. Only how many there are goes by it: who a peer is, its own socket says.
  const handshakes = new Map<string, Socket>();
  const server = createServer(serverOptions(credentials.current(), options));
  credentials.onChange((changed) => server.setSecureContext(contextOptions(changed, options)));

  server.on("secureConnection", (socket) => {
    handshakes.delete(connectionOf(socket));
    const refusal = refusalOf(socket, options);
    if (refusal === undefined) {
      take(socket);
      return;
    }
    failures.add(refusal, { peer: socket.remoteAddress });
    socket.destroy();
  });
  server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
    // Node says why it refuses a certificate, and types the code of an error as an error.
    const refused = socket.authorizationError as unknown as string | null | undefined;
    const code = refused ?? error.code;
    const reason = refused ? "certificate" : reasonOf(error.code);
    failures.add(reason, { peer: socket.remoteAddress, ...(code !== undefined && { code }) });
    // After a timeout Node leaves the connection open.
    socket.destroy();
  });

  return {
    take(socket) {
      if (socket.remoteAddress === undefined) {
        failures.add("gone", { peer: undefined });
        socket.destroy();
        return;
      }
      const connection = connectionOf(socket);
      // The system gives the same ends to another connection only when the one before has gone.
      handshakes.get(connection)?.destroy();
      handshakes.delete(connection);
      if (handshakes.size >= options.handshakesMax) {
        const [oldest] = handshakes;
        const [waiting, waited] = oldest!;
        handshakes.delete(waiting);
        failures.add("crowded", { peer: waited.remoteAddress });
        waited.destroy();
      }
      handshakes.set(connection, socket);
      socket.once("close", () => {
        if (handshakes.get(connection) === socket) handshakes.delete(connection);
      });
      server.emit("connection", socket);
    },
    close() {
      for (const socket of handshakes.values()) socket.destroy();
    },
  };
}

function serverOptions(credentials: Credentials, options: TlsOptions): NodeTlsOptions {
  const isAsked = credentials.ca !== undefined;
  return {
    ...contextOptions(credentials, options),
    ALPNProtocols: ["h2"],
    requestCert: isAsked,
    rejectUnauthorized: isAsked,
    handshakeTimeout: options.handshakeTimeoutMs,
  };
}

function contextOptions({ cert, key, ca }: Credentials, options: TlsOptions) {
  return {
    ...{ cert, key, ciphers: CIPHERS, minVersion: options.versionMin },
    ...(ca && { ca: [...ca] }),
    // A resumed session would show a certificate that nobody has checked since; one that is
    // negotiated again is against RFC 9113 §9.2.1.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/**
 * The same for a connection's socket and for the TLS around it, for which Node has no public link. Both
 * ends: from one port a peer may connect to several of our addresses.
 */
function connectionOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

function refusalOf(socket: TLSSocket, options: TlsOptions): ConnectionFailure | undefined {
  // Who offers no protocol at all gets this far.
  if (socket.alpnProtocol !== "h2") return "alpn";
  if (options.clientCaFile === undefined) return undefined;
  // Node has refused those already; what follows rests on it.
  if (!socket.authorized) return "certificate";
  return namesOfPeer(socket) === undefined ? "certificate-names" : undefined;
}

function reasonOf(code = ""): ConnectionFailure {
  const reason = reasons.get(code);
  if (reason !== undefined) return reason;
  return code.includes("ALERT") ? "refused-by-peer" : "tls";
}

const reasons: ReadonlyMap<string, ConnectionFailure> = new Map([
  ["ECONNRESET", "gone"],
  ["EPIPE", "gone"],
  ["ERR_TLS_HANDSHAKE_TIMEOUT", "timeout"],
  ["ERR_SSL_HTTP_REQUEST", "not-tls"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "not-tls"],
  ["ERR_SSL_UNSUPPORTED_PROTOCOL", "version"],
  ["ERR_SSL_NO_APPLICATION_PROTOCOL", "alpn"],
  ["ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE", "no-certificate"],
]);
