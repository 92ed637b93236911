import { type ClientHttp2Session, connect } from "node:http2";
import { type GrpcFailure, grpcCall } from "./grpc-call.ts";
import { grpcFrame } from "./h2load.ts";

/** Calls at a steady rate, whether or not those before are answered. */
export interface SteadyLoad {
  readonly port: number;
  readonly path: string;
  /** Messages, sent in turn. */
  readonly messages: readonly Uint8Array[];
  readonly callsPerSecond: number;
  /** Hears of each call's answer, or failure. */
  readonly onAnswer: (answer: Buffer | GrpcFailure, ms: number) => void;
}

/** A load that goes on until it is stopped. */
export interface RunningLoad {
  /** Resolves when everything that was sent is answered. */
  stop(): Promise<void>;
}

const CONNECTIONS = 8;

/**
 * Starts it. The time of a call counts from when it was due, so that what could not even be sent
 * while the server was silent, or this process was, is not forgotten.
 */
export function startSteadyLoad(load: SteadyLoad): RunningLoad {
  const frames = load.messages.map(grpcFrame);
  const sessions = Array.from({ length: CONNECTIONS }, () =>
    connect(`http://127.0.0.1:${load.port}`),
  );
  const callMs = 1_000 / load.callsPerSecond;
  const startMs = performance.now();
  const waiting = new Set<Promise<void>>();
  let sent = 0;
  const sendDue = (): void => {
    for (let dueMs = startMs + sent * callMs; dueMs <= performance.now(); dueMs += callMs) {
      const frame = frames[sent % frames.length] as Buffer;
      const session = sessions[sent % CONNECTIONS] as ClientHttp2Session;
      sent += 1;
      const answered = grpcCall(session, load.path, frame).then((answer) => {
        load.onAnswer(answer, performance.now() - dueMs);
        waiting.delete(answered);
      });
      waiting.add(answered);
    }
  };
  const timer = setInterval(sendDue, 1);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(waiting);
      for (const session of sessions) session.close();
    },
  };
}
