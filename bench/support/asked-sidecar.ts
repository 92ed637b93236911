import { connect } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { CheckResponseSchema } from "../../src/grpc/gen/postern/v1/decision_pb.js";
import { CHECK_PATH, checkMessage } from "./check-message.ts";
import { grpcCall } from "./grpc-call.ts";
import { grpcFrame } from "./h2load.ts";

/** A sidecar that is asked one question after another. */
export interface AskedSidecar {
  /** The answer, and when its request was sent; a call that fails is counted, and made again. */
  ask(subject: string, permission: string): Promise<AskedAnswer>;
  close(): void;
}

/** What a sidecar said. */
export interface AskedAnswer {
  readonly allowed: boolean;
  /** By `performance.now()`. */
  readonly sentMs: number;
}

/** After so many failures one after another a sidecar is broken, and the run with it. */
const FAILURES_MAX = 1_000;
const RETRY_MS = 10;

/** Connects to the sidecar at `port`; failures are counted by reason in `failures`. */
export function askSidecar(port: number, failures: Map<string, number>): AskedSidecar {
  const session = connect(`http://127.0.0.1:${port}`);
  return {
    async ask(subject, permission) {
      const frame = grpcFrame(checkMessage(subject, permission));
      for (let tries = 0; tries < FAILURES_MAX; tries += 1) {
        const sentMs = performance.now();
        const answer = await grpcCall(session, CHECK_PATH, frame);
        if (Buffer.isBuffer(answer)) {
          return { allowed: fromBinary(CheckResponseSchema, answer).allowed, sentMs };
        }
        failures.set(answer.failure, (failures.get(answer.failure) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
      throw new Error(`the sidecar at ${port} only fails: ${[...failures.keys()].join(", ")}`);
    },
    close: () => session.close(),
  };
}
