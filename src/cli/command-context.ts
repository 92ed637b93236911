import type { Clock } from "../base/clock.ts";
import type { Config } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";
import { type LoadedConfig, loadConfig } from "../config/load-config.ts";
import type { Directory } from "../directory/directory.ts";
import type { TextStream } from "./terminal.ts";

/** What the process gives to the command line. */
export interface CliIo {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** What is typed or piped in; asked for only by what reads it. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
  readonly clock: Clock;
  /** The process's own environment unless given. */
  readonly env?: Environment;
  /** Runs the server until it is told to stop; gives the exit status. */
  readonly serve: (loaded: LoadedConfig) => Promise<number>;
  /** Opens the database that the configuration names, also while a server has it open. */
  readonly openDirectory: (config: Config) => Promise<Directory>;
}

/** Exit statuses: what was asked for holds; it doesn't; the question could not be answered. */
export const exitStatus = { ok: 0, negative: 1, failed: 2 } as const;

/** What every command is handed. */
export interface CommandContext {
  readonly io: CliIo;
  /** Says with which status the process ends; 0 unless said. */
  finish(status: number): void;
  /** Loads the configuration of `--config`, or the defaults. */
  load(file: string | undefined): LoadedConfig;
}

/** The context of one run. */
export function commandContext(io: CliIo): CommandContext & { readonly status: () => number } {
  let status: number = exitStatus.ok;
  return {
    io,
    finish: (finished) => {
      status = finished;
    },
    load: (file) => loadConfig({ file, ...(io.env === undefined ? {} : { env: io.env }) }),
    status: () => status,
  };
}
