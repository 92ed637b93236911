import type { Clock } from "../../src/base/clock.ts";
import { runCli } from "../../src/cli/cli.ts";
import type { CliIo } from "../../src/cli/command-context.ts";
import { manualClock } from "./manual-clock.ts";

/** What a run of the command line left behind. */
export interface CliRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How the command line is run; nothing of the process is used. */
export interface CliSetup extends Partial<Pick<CliIo, "serve" | "openDirectory" | "env">> {
  readonly clock?: Clock;
  /** What is piped in. */
  readonly stdin?: string;
  readonly isTerminal?: boolean;
}

/** Runs `postern` in this process. */
export async function runPostern(args: readonly string[], setup: CliSetup = {}): Promise<CliRun> {
  const written = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    isTTY: setup.isTerminal === true,
    write: (text: string) => {
      written[name] += text;
    },
  });
  const status = await runCli(args, {
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    stdin: async function* () {
      yield Buffer.from(setup.stdin ?? "");
    },
    clock: setup.clock ?? manualClock(),
    env: setup.env ?? {},
    serve: setup.serve ?? (() => Promise.reject(new Error("nothing to serve with"))),
    openDirectory: setup.openDirectory ?? (() => Promise.reject(new Error("no directory to open"))),
  });
  return { status, ...written };
}
