import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";

/** Why a connection ended before its first call could be read. */
export type ConnectionFailure =
  | "not-http2"
  | "not-tls"
  | "version"
  | "alpn"
  | "no-certificate"
  | "certificate"
  | "certificate-names"
  | "refused-by-peer"
  | "timeout"
  | "crowded"
  | "gone"
  | "tls";

/** What is known of the connection. */
export interface FailedConnection {
  /** Address of the peer; `undefined` if it has gone. */
  readonly peer: string | undefined;
  /** A code of Node's or OpenSSL's. */
  readonly code?: string;
}

/** Tells operators of connections that come to nothing. */
export interface ConnectionFailures {
  add(reason: ConnectionFailure, connection: FailedConnection): void;
}

const INTERVAL_MS = 10_000;

/** `undefined` = nothing is wrong: probes of ports connect and go. */
const messages: Readonly<Record<ConnectionFailure, string | undefined>> = {
  "not-http2":
    "A connection was closed: its peer doesn't speak HTTP/2. If it speaks TLS, it needs an address " +
    "that begins with tls://.",
  "not-tls":
    "A connection was closed: its peer doesn't speak TLS, and the address is a tls:// one.",
  version:
    "A connection was closed: its peer speaks no version of TLS from grpc.tls.version_min on.",
  alpn: "A connection was closed: its peer doesn't offer h2 by ALPN, which gRPC over TLS asks for.",
  "no-certificate": "A connection was closed: its peer showed no certificate.",
  certificate:
    "A connection was closed: its peer's certificate is none that grpc.tls.client_ca_file stands for.",
  "certificate-names":
    "A connection was closed: its peer's certificate has too many names, or a SPIFFE ID beside " +
    "another URI, so that nobody can say whose it is.",
  "refused-by-peer":
    "A connection was closed by its peer, which ended the handshake. It may not trust the " +
    "authority of grpc.tls.certificate_file.",
  timeout:
    "A connection was closed: its TLS handshake took longer than grpc.tls.handshake_timeout_ms.",
  crowded:
    "A connection was closed: more TLS handshakes were in progress than grpc.tls.handshakes_max.",
  gone: undefined,
  tls: "A connection was closed: its TLS handshake failed.",
};

/**
 * Counts them by reason, and logs at most one of a reason in ten seconds with how many went
 * unlogged: whoever can reach a port can fail as often as it likes.
 */
export function createConnectionFailures(deps: {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  readonly meter: Meter;
}): ConnectionFailures {
  const { clock, logger, meter } = deps;
  const failed = meter.counter({
    name: "postern_grpc_connections_failed_total",
    help: "gRPC connections that ended before a call could be read, by reason.",
    labels: ["reason"],
  });
  const quiet = new Map<ConnectionFailure, { readonly untilMs: number; unlogged: number }>();
  return {
    add(reason, { peer, code }) {
      failed.add(1, { reason });
      const message = messages[reason];
      if (message === undefined) return;
      const nowMs = clock.monotonicMs();
      const before = quiet.get(reason);
      if (before !== undefined && nowMs < before.untilMs) {
        before.unlogged += 1;
        return;
      }
      logger.warn({ reason, peer, code, unlogged: before?.unlogged ?? 0 }, message);
      quiet.set(reason, { untilMs: nowMs + INTERVAL_MS, unlogged: 0 });
    },
  };
}
