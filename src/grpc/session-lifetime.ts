import { constants, type ServerHttp2Session } from "node:http2";
import type { GrpcOptions } from "./options.ts";

/** RFC 9113 §6.8: says that a connection is about to close, before it says which call was the last. */
const ANY_STREAM = 2 ** 31 - 1;
const AGE_SPREAD = 0.1;
const ROUND_TRIP_MAX_MS = 250;
/** Clients send their preface and SETTINGS with the first bytes of all. */
const GREETING_MAX_MS = 5_000;

/** Told of a session's calls, so that it knows when nobody uses it. */
export interface SessionLifetime {
  opened(): void;
  closed(): void;
}

/** Closes a session that says nothing, is idle, too old, or whose peer has vanished. */
export function limitLifetime(
  session: ServerHttp2Session,
  options: Pick<
    GrpcOptions,
    | "keepaliveTimeMs"
    | "keepaliveTimeoutMs"
    | "connectionIdleMs"
    | "connectionAgeMs"
    | "connectionAgeGraceMs"
  >,
): SessionLifetime {
  let open = 0;
  const idle = setTimeout(() => {
    if (open === 0) closeGracefully(session);
  }, options.connectionIdleMs);
  const keepalive = setInterval(() => {
    const silent = setTimeout(() => session.destroy(), options.keepaliveTimeoutMs).unref();
    const isSent = !session.destroyed && session.ping(() => clearTimeout(silent));
    if (!isSent) clearTimeout(silent);
  }, options.keepaliveTimeMs);
  const greeting = setTimeout(() => session.destroy(), GREETING_MAX_MS);
  session.once("remoteSettings", () => clearTimeout(greeting));
  const timers = [idle, keepalive, greeting];
  if (options.connectionAgeMs > 0) {
    const spread = 1 + AGE_SPREAD * (2 * Math.random() - 1);
    const retire = (): void => {
      closeGracefully(session);
      timers.push(setTimeout(() => session.destroy(), options.connectionAgeGraceMs).unref());
    };
    timers.push(setTimeout(retire, options.connectionAgeMs * spread));
  }
  for (const timer of timers) timer.unref();
  session.once("close", () => {
    for (const timer of timers) clearTimeout(timer);
  });
  return {
    opened: () => {
      open += 1;
    },
    closed: () => {
      open -= 1;
      if (open === 0) idle.refresh();
    },
  };
}

/**
 * Two GOAWAYs: the first tells the peer to open no more, the second, one round trip later, which
 * calls were the last: those that crossed the first one are answered too.
 */
export function closeGracefully(session: ServerHttp2Session): void {
  if (session.destroyed || session.closed) return;
  const close = (): void => {
    clearTimeout(timer);
    if (!session.destroyed) session.close();
  };
  // A peer that has closed its end answers no ping.
  const timer = setTimeout(close, ROUND_TRIP_MAX_MS);
  session.goaway(constants.NGHTTP2_NO_ERROR, ANY_STREAM);
  if (!session.ping(close)) close();
}
