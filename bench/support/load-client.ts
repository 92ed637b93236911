import { connect, type SecureClientSessionOptions } from "node:http2";
import { grpcCall } from "./grpc-call.ts";
import { grpcFrame } from "./h2load.ts";

/** A load whose messages differ, which h2load can't offer. */
export interface VariedLoad {
  readonly port: number;
  readonly path: string;
  /** Messages, sent in turn. */
  readonly messages: readonly Uint8Array[];
  readonly requests: number;
  /** With TLS, which this says how to do. */
  readonly tls?: SecureClientSessionOptions | undefined;
  /** Hears of each answer's time in milliseconds. */
  readonly onAnswer?: (ms: number) => void;
}

const CONNECTIONS = 8;
const STREAMS = 16;

/** Sends everything, 8 connections × 16 streams; resolves with the number that failed. */
export async function runVariedLoad(load: VariedLoad): Promise<number> {
  const frames = load.messages.map(grpcFrame);
  const state = { next: 0, failed: 0 };
  const scheme = load.tls === undefined ? "http" : "https";
  const sessions = Array.from({ length: CONNECTIONS }, () =>
    connect(`${scheme}://localhost:${load.port}`, load.tls),
  );
  const lanes = sessions.flatMap((session) =>
    Array.from({ length: STREAMS }, async () => {
      while (state.next < load.requests) {
        const frame = frames[state.next++ % frames.length] as Buffer;
        const started = performance.now();
        const answer = await grpcCall(session, load.path, frame);
        if (!Buffer.isBuffer(answer)) state.failed += 1;
        load.onAnswer?.(performance.now() - started);
      }
    }),
  );
  await Promise.all(lanes);
  for (const session of sessions) session.close();
  return state.failed;
}
