/** The process: arguments and signals in, exit status out. Everything else is in the commands. */
import { systemClock } from "./base/clock.ts";
import { runCli } from "./cli/cli.ts";
import type { Config } from "./config/config.ts";
import type { LoadedConfig } from "./config/load-config.ts";
import type { Directory } from "./directory/directory.ts";

const EXIT_OK = 0;
const EXIT_FAILED = 2;
const REPEATED_SIGNAL_MS = 1_000;

// A reader that has seen enough (`postern directory show | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT_OK);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: () => process.stdin,
  clock: systemClock,
  serve,
  openDirectory: openForCommand,
});

/** Serves until SIGTERM or SIGINT, then drains. */
async function serve({ config }: LoadedConfig): Promise<number> {
  // Loaded here, because commands that only ask would spend half their time on loading the server.
  const [{ startServer }, { createProcessLogger }, { createMeter }] = await Promise.all([
    import("./server.ts"),
    import("./telemetry/logger.ts"),
    import("./telemetry/meter.ts"),
  ]);
  const meter = createMeter();
  const dropped = meter.counter({
    name: "postern_log_lines_dropped_total",
    help: "Log lines dropped because nobody read the output.",
  });
  const logger = createProcessLogger({
    options: config.telemetry,
    clock: systemClock,
    output: process.stdout,
    onDrop: () => dropped.add(1),
  });
  const stopRequested = firstStopSignal();
  // What nobody foresaw leaves the process in a state that nobody knows: it ends, loudly, and its
  // supervisor starts a fresh one. While it is away callers get no answer, which is no allow.
  process.on("uncaughtExceptionMonitor", (error) => {
    logger.error({ error }, "Unforeseen failure. The process ends.");
    logger.flush();
  });
  try {
    const server = await startServer({ config, clock: systemClock, logger, meter });
    logger.info(
      {
        grpc: server.addresses,
        diagnostics: server.diagnostics,
        control: config.admin.controlSocket,
      },
      "Postern is ready.",
    );
    const signal = await stopRequested;
    logger.info({ signal }, "Stopping: calls in flight are finished, new ones are refused.");
    await server.close();
    logger.info({}, "Stopped.");
    return EXIT_OK;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    logger.error({}, `Postern can't serve: ${why}`);
    // The stack is for whoever mends Postern, not for whoever mends its configuration.
    logger.debug({ error }, "Where it failed.");
    return EXIT_FAILED;
  } finally {
    logger.flush();
  }
}

/**
 * Resolves at the first SIGTERM or SIGINT. A further one ends the process at once, for somebody who
 * won't wait; but not within a second, since one Ctrl-C arrives twice: from the terminal, which
 * signals the whole process group, and from the launcher, which passes it on.
 */
function firstStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstMs: number | undefined;
    const stop = (signal: NodeJS.Signals): void => {
      const nowMs = systemClock.monotonicMs();
      firstMs ??= nowMs;
      if (nowMs - firstMs > REPEATED_SIGNAL_MS) process.exit(EXIT_FAILED);
      resolve(signal);
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
}

/** For commands, which say themselves what went wrong. */
async function openForCommand(config: Config): Promise<Directory> {
  const { openAnnouncingDirectory } = await import("./announcing-directory.ts");
  const { pollIntervalMs } = config.directory;
  const when = `Sidecars find the change within ${pollIntervalMs} ms by themselves.`;
  return openAnnouncingDirectory({
    config,
    unannounced: (why) => process.stderr.write(`Not announced: ${why} ${when}\n`),
  });
}
