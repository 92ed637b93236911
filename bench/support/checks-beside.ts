import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { CheckResponseSchema } from "../../src/grpc/gen/postern/v1/decision_pb.js";
import { CHECK_PATH, checkMessage } from "./check-message.ts";
import { grpcFrame, grpcHeaders, startH2load } from "./h2load.ts";
import { runVariedLoad } from "./load-client.ts";
import { startSteadyLoad } from "./steady-load.ts";

/** Where the checks go. */
export interface ChecksBesideSetup {
  readonly ports: readonly number[];
  readonly callsPerSecond: number;
  /** For the body that h2load sends. */
  readonly folder: string;
}

/** What became of the checks whose answers were read. */
export interface ChecksSeen {
  readonly latenciesMs: number[];
  /** By reason. */
  readonly failures: Map<string, number>;
  /** Although their subjects keep their permission. */
  denied: number;
}

const SUBJECTS = 1_000;
const PERMISSION = "agent:execute";
/** The rest is h2load's, which costs a fraction of what reading answers here does. */
const READ_SHARE = 0.1;
const WARM_UP_ROUNDS_MAX = 20;

/** Checks of subjects whose permissions don't change, an equal part at each sidecar. */
export function startChecksBeside({ ports, callsPerSecond, folder }: ChecksBesideSetup): {
  stop(): Promise<ChecksSeen>;
} {
  const seen: ChecksSeen = { latenciesMs: [], failures: new Map(), denied: 0 };
  const readPerSecond = (callsPerSecond * READ_SHARE) / ports.length;
  const restPerSecond = (callsPerSecond * (1 - READ_SHARE)) / ports.length;
  const loads = ports.map((port) =>
    startSteadyLoad({
      ...{ port, path: CHECK_PATH, messages, callsPerSecond: readPerSecond },
      onAnswer(answer, ms) {
        seen.latenciesMs.push(ms);
        if (Buffer.isBuffer(answer)) {
          if (!fromBinary(CheckResponseSchema, answer).allowed) seen.denied += 1;
        } else {
          seen.failures.set(answer.failure, (seen.failures.get(answer.failure) ?? 0) + 1);
        }
      },
    }),
  );
  const bodyPath = join(folder, "check.bin");
  writeFileSync(bodyPath, grpcFrame(messages[0]!));
  const rest = ports.map((port) => {
    const url = `http://127.0.0.1:${port}${CHECK_PATH}`;
    return startH2load({ url, bodyPath, headers: grpcHeaders }, restPerSecond);
  });
  return {
    async stop() {
      await Promise.all([...loads, ...rest].map((load) => load.stop()));
      return seen;
    },
  };
}

/** Has each sidecar read each subject: a start from nothing is another benchmark's. */
export async function warmUpChecks(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    let failed = messages.length;
    for (let round = 0; failed > 0; round += 1) {
      if (round === WARM_UP_ROUNDS_MAX) throw new Error(`${failed} calls fail at ${port}`);
      failed = await runVariedLoad({
        ...{ port, path: CHECK_PATH, messages, requests: messages.length },
      });
    }
  }
}

/** A directory file with the subjects. */
export function checksBesideFile(): string {
  const subjects = Array.from(
    { length: SUBJECTS },
    (_, index) => `  - { id: bench-${index}, groups: [llm-platform/developers] }`,
  );
  return `subjects:\n${subjects.join("\n")}\n`;
}

const messages = Array.from({ length: SUBJECTS }, (_, index) =>
  checkMessage(`bench-${index}`, PERMISSION),
);
